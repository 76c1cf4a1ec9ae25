"""How far adsorption energies are from DFT's: single members, their ensemble, and what the filter leaves of it.

python -m benchmarks.dft [--quick] [--database FILE] [--cache FILE]

Labels of PengRole2020 (benchmarks/dft_labels.py): each member's own energies of DFT's geometries, without any relaxation,
on these scales: relative to its own gas molecules; with constants per element fitted to the labels of all other metals, or of
all other adsorbates (services/scoring/constants.py); with one constant per adsorbate taken off, which no user can do and which
shows what is left then. Kept are the half of the labels with the smallest spread, whichever spread. Intervals: 95 %, bootstrap
over surfaces. Every evaluation is kept in the cache: a run that was stopped goes on where it ended.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.dft_labels import Label, asked
from benchmarks.score_walks import Remembered, relaxed
from services.scoring import constants, references
from services.scoring.ensemble import summarise
from services.scoring.offsets import relative_spreads
from shared.settings import Settings
from shared.structures import Floats, Integers, Mask

CACHE = Path(__file__).parents[1] / ".adhop/dft-energies.jsonl"
MEMBERS = (
    "chgnet-0.3.0",
    "sevennet-0",
    "chgnet-r2scan",
    "sevennet-mf-0-pbe",
    "sevennet-mf-0-r2scan",
    "sevennet-l3i5",
)
DEFAULT = Settings.model_fields["default_score_members"].default
ELEMENTS = (1, 6, 8)
QUICK = 40
"""Labels."""
CLOSE = (0.1, 0.2)
TIE = 0.05
"""eV: sites closer than this count as equally low."""
OWN_GAS, METALS, ADSORBATES, PER_ADSORBATE = (
    "own gas molecules",
    "fitted, metal left out",
    "fitted, adsorbate left out",
    "constant per adsorbate removed",
)


@dataclass(frozen=True, eq=False)
class Measured:
    """All labels, by all members."""

    labels: Sequence[Label]
    dft: Floats
    """eV [n]."""
    differences: Floats
    """E(adslab) - E(slab) [n, n_members], eV."""
    gas: dict[str, Floats]
    """Each molecule by each member [n_members], eV."""
    found: dict[str, Floats] = field(default_factory=dict)

    @property
    def counts(self) -> Integers:
        """Atoms of ELEMENTS in each adsorbate [n, 3]."""
        numbers = [label.adslab.numbers[label.adslab.adsorbate] for label in self.labels]
        return np.array([[int((one == element).sum()) for element in ELEMENTS] for one in numbers])

    def errors(self, scale: str) -> Floats:
        """Against DFT [n, n_members], eV; found once for each scale."""
        if scale not in self.found:
            self.found[scale] = self._errors(scale)
        return self.found[scale]

    def _errors(self, scale: str) -> Floats:
        if scale in (METALS, ADSORBATES):
            groups = [label.metal if scale == METALS else label.adsorbate for label in self.labels]
            columns = self.differences.T - self.dft
            return np.array([constants.held_out(self.counts, one, groups) for one in columns]).T
        own = np.array(
            [
                sum(count * self.gas[name] for name, count in references.coefficients(numbers).items())
                for numbers in (label.adslab.numbers[label.adslab.adsorbate].tolist() for label in self.labels)
            ]
        )
        errors = self.differences - own - self.dft[:, None]
        if scale == PER_ADSORBATE:
            kinds = np.array([label.adsorbate for label in self.labels])
            for kind in np.unique(kinds):
                errors[kinds == kind] -= np.median(errors[kinds == kind], axis=0)
        return np.asarray(errors)


def measure(found: Sequence[Label], cache: Path) -> Measured:
    """Each member's energies, from the cache as far as they are in it."""
    differences, gas = [], dict[str, list[float]]()
    for name in MEMBERS:
        member = Remembered(name, cache)
        for molecule in ("CO", "H2", "H2O"):
            start = references.gas_start(molecule, (True, True, True))
            gas.setdefault(molecule, []).append(relaxed(member, start).energy)
        pairs = [member.evaluate([label.adslab, label.slab]) for label in found]
        differences.append([adslab.energy - slab.energy for adslab, slab in pairs])
        print(f"{name}: {len(found)} labels", file=sys.stderr)
    return Measured(
        found,
        np.array([label.energy for label in found]),
        np.array(differences).T,
        {molecule: np.array(energies) for molecule, energies in gas.items()},
    )


def _by_system(found: Sequence[Label]) -> list[Integers]:
    systems = np.array([label.system for label in found])
    return [np.flatnonzero(systems == name) for name in np.unique(systems)]


def _half(spread: Floats, among: Mask) -> Mask:
    """Those with the smallest spread, half of them."""
    kept = np.zeros(len(spread), dtype=bool)
    rows = np.flatnonzero(among)
    kept[rows[np.argsort(spread[rows], kind="stable")[: (len(rows) + 1) // 2]]] = True
    return kept


def rows_of(measured: Measured, scale: str, members: Sequence[str]) -> dict[str, dict[str, Any]]:
    """One table: what is measured of single members, ensemble and filter."""
    columns = [MEMBERS.index(name) for name in members]
    errors = measured.errors(scale)[:, columns]
    energies = errors + measured.dft[:, None]
    summary = summarise(energies)
    mean = summary.mean - measured.dft
    systems = np.unique([label.system for label in measured.labels], return_inverse=True)[1]
    relative = relative_spreads(energies, np.ones(len(energies), dtype=bool), systems)
    known, several = ~np.isnan(mean), ~np.isnan(relative) & ~np.isnan(mean)
    surfaces = np.array([f"{label.metal}({label.facet})" for label in measured.labels])
    chosen = {
        "ensemble": known,
        "filtered": _half(summary.std, known),
        "ensemble, several sites": several,
        "filtered, several sites": _half(summary.std, several),
        "filtered_relative": _half(relative, several),
    }
    rows = {"single": _row(errors[known], surfaces[known])}
    rows |= {name: _row(mean[which][:, None], surfaces[which]) for name, which in chosen.items()}
    rows["ensemble"]["spread_against_error"] = round(_pearson(summary.std[known], np.abs(mean[known])), 2)
    rows["filtered_relative"]["spread_against_error"] = round(_pearson(relative[several], np.abs(mean[several])), 2)
    return rows


def _row(errors: Floats, surfaces: np.ndarray[Any, Any]) -> dict[str, Any]:
    """errors: eV [n, n_members]; figures are means over members."""
    size = np.abs(errors).mean(axis=1)
    row: dict[str, Any] = {"n": len(errors), "mean_error": _with_interval(size, surfaces)}
    for limit in CLOSE:
        within = (np.abs(errors) < limit).mean(axis=1)
        row[f"within_{limit}".replace(".", "p")] = _with_interval(within, surfaces)
    return row


def _with_interval(values: Floats, surfaces: np.ndarray[Any, Any], draws: int = 2000) -> list[float]:
    """[value, low, high]; surfaces are drawn again, with all that is on them."""
    chance = np.random.default_rng(0)
    names, which = np.unique(surfaces, return_inverse=True)
    total, count = np.bincount(which, values), np.bincount(which)
    drawn = chance.integers(len(names), size=(draws, len(names)))
    means = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return [round(float(one), 3) for one in (values.mean(), low, high)]


def _pearson(one: Floats, other: Floats) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if len(one) > 2 else float("nan")


def site_order(measured: Measured, members: Sequence[str]) -> dict[str, Any]:
    """Of systems with several sites: how often DFT's lowest is among the lowest. No reference has a part in it."""
    columns = [MEMBERS.index(name) for name in members]
    single, together = [], []
    for rows in _by_system(measured.labels):
        if len(rows) < 2:
            continue
        energies = measured.differences[np.ix_(rows, np.array(columns))]
        lowest = int(np.argmin(measured.dft[rows]))
        single.append((energies[lowest] <= energies.min(axis=0) + TIE).mean())
        mean = energies.mean(axis=1)
        together.append(bool(mean[lowest] <= mean.min() + TIE))
    return {
        "systems": len(together),
        "single": round(float(np.mean(single)), 3),
        "ensemble": round(float(np.mean(together)), 3),
    }


def main() -> None:
    """Entry point."""
    words, found = asked(__doc__, quick=f"{QUICK} labels", cache=CACHE)
    warnings.simplefilter("ignore")
    measured = measure(found[:: len(found) // QUICK] if words.quick else found, words.cache)
    tables = {
        f"{scale}; {name}": rows_of(measured, scale, members)
        for scale in (OWN_GAS, METALS, ADSORBATES, PER_ADSORBATE)
        for name, members in (("default members", DEFAULT), ("all members", MEMBERS))
    }
    for title, rows in tables.items():
        _show(title, rows)
    ensembles = _ensembles(measured)
    _show_ensembles(ensembles)
    best = tables[f"{METALS}; default members"]
    result: dict[str, Any] = {
        "labels": len(measured.labels),
        "members": list(MEMBERS),
        "default": list(DEFAULT),
        # as users get it: constants fitted without the metal that is asked about
        **{key: {name: row[key] for name, row in best.items()} for key in ("mean_error", "within_0p1", "within_0p2")},
        "site_order": {
            "default": site_order(measured, DEFAULT),
            "all": site_order(measured, MEMBERS),
            **{name: site_order(measured, [name])["single"] for name in MEMBERS},
        },
        "order": order(best),
        "ensembles": ensembles,
        "constants": {
            name: constants.fit(measured.counts, measured.differences[:, index] - measured.dft).round(3).tolist()
            for index, name in enumerate(MEMBERS)
        },
    }
    report.finish(result | {"tables": tables})


def order(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    """Whether each step of the method helps, by the mean error and by the share within 0.1 eV. Steps are compared on the same labels:
    the relative spread exists where a system has several sites."""
    steps = {
        "ensemble beats single": ("single", "ensemble"),
        "filter beats ensemble": ("ensemble", "filtered"),
        "relative filter beats ensemble": ("ensemble, several sites", "filtered_relative"),
    }
    found = {}
    for name, (before, after) in steps.items():
        found[f"{name}, mean error"] = rows[after]["mean_error"][0] < rows[before]["mean_error"][0]
        found[f"{name}, within 0.1 eV"] = rows[after]["within_0p1"][0] > rows[before]["within_0p1"][0]
    return found


def _ensembles(measured: Measured) -> dict[str, dict[str, float]]:
    """Single members, and all ensembles of two and three: how far off, and what the filter leaves, as users get it."""
    found = {}
    for size in (1, 2, 3, len(MEMBERS)):
        for members in combinations(MEMBERS, size):
            rows = rows_of(measured, METALS, members)
            told = {"site_order": site_order(measured, members)["ensemble"]}
            for row in ("ensemble", *(("filtered",) if size > 1 else ())):
                told |= {f"{row}_{key}": rows[row][key][0] for key in ("mean_error", "within_0p1")}
            if size > 1:
                told["spread_against_error"] = rows["ensemble"]["spread_against_error"]
            found[" + ".join(members)] = told
    return found


def _show_ensembles(found: Mapping[str, Mapping[str, float]]) -> None:
    keys = list(found[" + ".join(DEFAULT)])
    report.show(
        f"{METALS}: ensembles against DFT",
        ["members", *keys],
        [[name, *(told.get(key, "") for key in keys)] for name, told in found.items()],
    )


def _show(title: str, rows: dict[str, dict[str, Any]]) -> None:
    report.show(
        f"{title}: against DFT",
        ["", "labels", "mean error, eV", "within 0.1 eV", "within 0.2 eV", "spread against error"],
        [
            [
                name,
                row["n"],
                "{:.3f} ({:.3f}-{:.3f})".format(*row["mean_error"]),
                *(
                    "{:.0f} % ({:.0f}-{:.0f})".format(*(100 * one for one in row[key]))
                    for key in ("within_0p1", "within_0p2")
                ),
                row.get("spread_against_error", ""),
            ]
            for name, row in rows.items()
        ],
    )


if __name__ == "__main__":
    main()
