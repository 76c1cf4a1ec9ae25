"""One self-contained HTML page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from evaluation.report import Report, Sheet, remarks, sheets
from services.evaluation.shares import Share

_STYLE = """
:root { --ink: #1d2733; --soft: #5d6b7a; --line: #dfe5ec; --paper: #fff; --accent: #2f6db5; --wash: #f4f7fa; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--wash); font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 0 0 2px; }
header p, .note, footer { color: var(--soft); margin: 0; }
.reference { display: inline-block; margin-top: 14px; padding: 5px 12px; border: 1px solid var(--line);
  border-radius: 999px; background: var(--paper); font-size: 14px; }
.reference.standin { background: #fff4dd; border-color: #ecd08f; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 12px;
  padding: 22px 24px; margin-top: 22px; overflow-x: auto; }
section svg { width: 100%; height: auto; display: block; margin-top: 8px; }
table { border-collapse: collapse; width: 100%; margin-top: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-size: 13px; color: var(--soft); font-weight: 600;
  padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); }
td { padding: 9px 14px 9px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
.share { min-width: 130px; }
.share b { font-size: 17px; font-weight: 650; }
.share small { color: var(--soft); display: block; font-size: 12.5px; }
.bar { position: relative; height: 5px; border-radius: 3px; background: var(--line); margin: 5px 0 4px; }
.bar i { position: absolute; top: 0; bottom: 0; left: 0; border-radius: 3px; background: var(--accent); }
.bar u { position: absolute; top: -2px; bottom: -2px; border-radius: 3px; background: var(--ink); opacity: 0.22; }
ul { margin: 10px 0 0; padding-left: 20px; }
footer { margin-top: 26px; font-size: 14px; }
"""


def page(parts: Sequence[tuple[Report, str]], title: str = "Evaluation") -> str:
    """Each report with its figure as an <svg> element."""
    body = "".join(_part(report, figure) for report, figure in parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{body}"
        "<footer>Shares with their counts and 95 % bootstrap intervals; systems are drawn whole. Energies in eV per adslab.</footer>"
        "</main></body></html>\n"
    )


def _part(report: Report, figure: str) -> str:
    one = report.evaluation
    kind = "reference standin" if one.reference.startswith("stand-in") else "reference"
    members = f"<p>Ensemble of {escape(', '.join(one.members))}.</p>" if one.members else ""
    head = (
        f"<header><h1>{escape(one.name)}</h1><p>{one.n_systems} systems, {one.n_configurations} configurations.</p>{members}"
        f'<span class="{kind}">Reference: {escape(one.reference)}</span></header>'
    )
    said = "".join(f"<li>{escape(remark)}</li>" for remark in remarks(report))
    words = f"<section><h2>Spread and error</h2><ul>{said}</ul></section>" if said else ""
    return head + f"<section>{figure}</section>" + "".join(_sheet(sheet) for sheet in sheets(report)) + words


def _sheet(sheet: Sheet) -> str:
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in sheet.headings)
    rows = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in sheet.rows)
    return (
        f'<section><h2>{escape(sheet.title)}</h2><p class="note">{escape(sheet.note)}</p>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _cell(cell: str | Share) -> str:
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    if math.isnan(cell.value):
        return '<td class="share"><small>none</small></td>'
    value, low, high = 100 * cell.value, 100 * cell.low, 100 * cell.high
    bar = f'<i style="width:{value:.1f}%"></i><u style="left:{low:.1f}%;width:{max(high - low, 0.6):.1f}%"></u>'
    return (
        f'<td class="share"><b>{value:.1f} %</b><div class="bar">{bar}</div>'
        f"<small>{cell.hits} of {cell.count}; {low:.0f}-{high:.0f} %</small></td>"
    )
