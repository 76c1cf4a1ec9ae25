"""Spread against error, and the tables as bars: PNG for papers and slides, SVG for the page."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.report import Report
from services.evaluation.labelled import Labelled, pairs
from services.evaluation.shares import Share

INK, SOFT, ACCENT, GOOD = "#1d2733", "#8a97a6", "#2f6db5", "#2e8b6f"
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "adhop",
}


def draw(report: Report, labelled: Labelled) -> Figure:
    """What the set has something to say in: success by method, energies by member, spread against error."""
    one = report.evaluation
    panels = [bool(one.search), bool(one.energies), one.correlation is not None]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(3.7 * max(1, sum(panels)), 3.8), layout="constrained")
        axes = iter(figure.subplots(1, max(1, sum(panels)), squeeze=False)[0])
        if panels[0]:
            shown = [(f"{row.method}, {row.energies}", row.share) for row in one.search]
            _bars(next(axes), "Systems found within 0.1 eV", shown)
        if panels[1]:
            _bars(next(axes), "Configurations within 0.1 eV", [(row.what, row.share) for row in one.energies])
        if panels[2]:
            _spread(next(axes), report, labelled)
        if not any(panels):
            next(axes).set_axis_off()
    return figure


def png(figure: Figure) -> bytes:
    """Two hundred dots an inch."""
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=200)
    return made.getvalue()


def svg(figure: Figure) -> str:
    """The <svg> element alone, the same for the same numbers."""
    made = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(made, format="svg", metadata={"Date": None})
    whole = made.getvalue()
    return whole[whole.index("<svg") :]


def _bars(axes: Axes, title: str, rows: list[tuple[str, Share]]) -> None:
    """Shares with their intervals, the first on top."""
    places = np.arange(len(rows))[::-1]
    values = np.array([100 * share.value for _, share in rows])
    low = np.array([100 * share.low for _, share in rows])
    high = np.array([100 * share.high for _, share in rows])
    axes.barh(places, values, color=ACCENT, alpha=0.85, height=0.36)
    errors = np.nan_to_num(np.maximum([values - low, high - values], 0.0))
    axes.errorbar(values, places, xerr=errors, fmt="none", ecolor=INK, elinewidth=1, capsize=2.5)
    for place, (name, _) in zip(places, rows, strict=True):
        axes.text(0, place + 0.26, name, fontsize=8, va="bottom", ha="left")
    axes.set_yticks([])
    axes.set_ylim(-0.5, len(rows) - 0.2)
    axes.set_xlim(0, 100)
    axes.set_xlabel("%, with 95 % interval")
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")


def _spread(axes: Axes, report: Report, labelled: Labelled) -> None:
    """Every configuration, the mean error of equal parts, 0.1 eV, and the limits."""
    one = report.evaluation
    found = pairs(labelled, one.spread)
    spreads, errors = found.spreads, found.errors
    axes.scatter(spreads, errors, s=9, color=ACCENT, alpha=0.35, linewidths=0, rasterized=len(spreads) > 5000)
    parts = [part for part in np.array_split(np.argsort(spreads), min(8, max(1, len(spreads) // 5))) if len(part)]
    axes.plot(
        [float(spreads[part].mean()) for part in parts],
        [float(errors[part].mean()) for part in parts],
        color=INK, marker="o", markersize=4, linewidth=1.5, label="mean error of equal parts",
    )  # fmt: skip
    axes.axhline(0.1, color=GOOD, linewidth=1, linestyle="--", label="0.1 eV")
    axes.axvline(one.limit, color=SOFT, linewidth=1, linestyle=":", label=f"limit {one.limit:g} eV")
    if report.calibration is not None and report.calibration.limit is not None:
        learned = report.calibration.limit
        axes.axvline(learned, color=GOOD, linewidth=1.2, label=f"calibrated {learned:.2f} eV")
    axes.set_xlim(left=0)
    axes.set_ylim(0, max(0.2, float(np.percentile(errors, 99)) * 1.1))
    axes.set_xlabel(f"spread of the members ({one.spread}), eV")
    axes.set_ylabel("error of the mean, eV")
    axes.set_title("Spread against error", loc="left", fontsize=11, fontweight="bold")
    axes.legend(frameon=False, fontsize=8)
