"""What a few steps by the members that only score cost, and do to the spread and to the error against DFT.

python -m benchmarks.score_steps [--quick] [--database FILE] [--cache FILE]

Ten adslabs of PengRole2020 (Catalysis-Hub; BEEF-vdW; the file is cathub/tests/io of github.com/SUNCAT-Center/CatHub): CO, CH and CCO
on metals. Each default search member relaxes DFT's geometry to a minimum of its own; the other members score it after 0, 3, 5, 10 and
20 steps, and relaxed in full. Their reactions are from CO, H2 and H2O, so the labels are on the scale of the service as they stand.
Three molecules without a label, found likewise, are those whose relaxations are long. Every evaluation is kept in the cache: a run
that was stopped goes on where it ended.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import ase.db
import numpy as np

from benchmarks import report
from benchmarks.systems import Case, build, starts
from services.forces.engine import run
from services.forces.potential import Card, Evaluation, Potential
from services.scoring import references
from services.search.curvature import model_hessian
from services.search.minimisation import Relaxation, relax
from services.search.own_geometry import scored
from services.systems.surfaces import anchored, with_surface
from shared.parameters import Hopping
from shared.structures import Structure
from worker.potentials import registry

DATABASE = Path(__file__).parents[2] / "shared/data/dft/PengRole2020.db"
CACHE = Path(tempfile.gettempdir()) / "adhop-score-steps.jsonl"
MEMBERS = ("chgnet-0.3.0", "sevennet-0", "chgnet-r2scan")
FINDERS = MEMBERS[:2]
"""The default search members."""
FULL = 200
STEPS = (0, 3, 5, 10, 20, FULL)
REACTIONS = (150, 195, 158, 159, 75, 76, 73, 174, 175, 165)
"""Their numbers in the database, those that share a slab one after the other: CO on Cu(653) and Ag3Cu(100); CH, CCO on Cu(111);
CH, CCO, CO on Pd(111); CH, CCO on Pt(111) hollows, CO on top."""
LOOSE = (Case("Pt", "111", "*CH4"), Case("Cu", "111", "*OH2"), Case("Pd", "100", "*OCH3"))
"""Molecules that hardly hold, or turn easily: no DFT is to be had of these, and relaxations are long."""
ERRORS = ("scoring members", "mean of three")
LIMIT = 0.3
"""The default limit of the spread, eV."""


@dataclass
class Remembered:
    """A member whose evaluations are kept in a file; the potential is loaded when it is needed."""

    name: str
    path: Path
    known: dict[str, Evaluation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            kept = json.loads(line)
            if kept["member"] == self.name:
                self.known[kept["digest"]] = Evaluation(kept["energy"], np.array(kept["forces"]))

    @cached_property
    def potential(self) -> Potential:
        return registry.load(self.name)

    @property
    def card(self) -> Card:
        return self.potential.card

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        return [self._one(structure) for structure in structures]

    def _one(self, structure: Structure) -> Evaluation:
        if structure.digest not in self.known:
            found = self.potential.evaluate([structure])[0]
            kept = {
                "member": self.name,
                "digest": structure.digest,
                "energy": found.energy,
                "forces": found.forces.tolist(),
            }
            with self.path.open("a") as file:
                file.write(json.dumps(kept) + "\n")
            self.known[structure.digest] = found
        # the caller adds restraints to what it is given
        known = self.known[structure.digest]
        return Evaluation(known.energy, known.forces.copy())


@dataclass(frozen=True, eq=False)
class Labelled:
    """An adslab, its clean slab, and DFT's adsorption energy on the scale of CO, H2 and H2O, eV; None where there is none."""

    name: str
    adsorbate: str
    adslab: Structure
    slab: Structure
    label: float | None


@dataclass
class Scores:
    """What the three members say of one candidate."""

    system: str
    adsorbate: str
    finder: str
    label: float | None
    energies: dict[str, dict[int, float]]
    """eV per adslab, by member and number of steps."""
    calls: dict[str, dict[int, int]]
    """Force calls of the evaluation, likewise."""
    displacements: dict[str, dict[int, float | None]]
    """Å, likewise."""
    left: dict[str, dict[int, str | None]]
    """How the walk left the minimum, likewise."""
    own_slab: dict[str, float]
    """eV by member, one evaluation with the slab's atoms moved as the two clean slabs differ."""

    def spread(self, steps: int) -> float:
        return float(np.std([by_steps[steps] for by_steps in self.energies.values()], ddof=1))


def labelled(path: Path, reaction: int) -> Labelled:
    """One reaction of the database."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        metal, facet, energy = connection.execute(
            "SELECT surface_composition, facet, reaction_energy FROM reaction WHERE id = ?", (reaction,)
        ).fetchone()
        ids = dict(connection.execute("SELECT name, ase_id FROM reaction_system WHERE id = ?", (reaction,)).fetchall())
    name = next(name for name in ids if name.endswith("star") and name != "star")
    with ase.db.connect(path) as database:
        adslab, slab = (database.get_atoms(unique_id=ids[one]) for one in (name, "star"))
    adsorbed = np.arange(len(adslab)) >= len(slab)
    if (adslab.numbers[: len(slab)] != slab.numbers).any():
        raise SystemExit(f"reaction {reaction}: the adslab's atoms don't begin with those of the slab")
    none = np.zeros(len(slab), dtype=bool)
    clean = anchored(with_surface(Structure.from_atoms(slab, adsorbate=none, surface=none)))
    # one choice of surface atoms: those of the clean slab
    marked = np.concatenate([clean.surface, np.zeros(int(adsorbed.sum()), dtype=bool)])
    whole = Structure.from_atoms(adslab, adsorbate=adsorbed, surface=marked)
    adsorbate = name.removesuffix("star")
    return Labelled(f"{adsorbate}/{metal.removesuffix('-fcc')}({facet})", adsorbate, whole, clean, energy)


def unlabelled(case: Case) -> Labelled:
    """A placement on ASE's slab."""
    system = build(case)
    return Labelled(str(case), case.adsorbate, starts(system, 1, 0)[0], system.slab, None)


def relaxed(potential: Potential, start: Structure) -> Relaxation:
    """As the service relaxes a reference."""
    found = run(relax(start, fmax=0.05, max_steps=FULL, hessian=model_hessian(start), damped=True), potential)
    if not found.converged:
        print(f"not converged: {found.fmax:.3f} eV/Å", file=sys.stderr)
    return found


def measure(system: Labelled, finders: Sequence[str], members: dict[str, Remembered]) -> Iterator[Scores]:
    """Each finder's minimum, scored by all."""
    slabs = {name: relaxed(member, system.slab) for name, member in members.items()}
    counts = references.coefficients(system.adslab.numbers[system.adslab.adsorbate].tolist())
    gas = {
        name: {one: relaxed(member, references.gas_start(one, (True, True, True))).energy for one in counts}
        for name, member in members.items()
    }

    def adsorption(name: str, energy: float) -> float:
        return references.adsorption_energy(energy, slabs[name].energy, gas[name], counts)

    for finder in finders:
        candidate = relaxed(members[finder], system.adslab).structure
        found = Scores(system.name, system.adsorbate, finder, system.label, {}, {}, {}, {}, {})
        for name, member in members.items():
            per_step = {
                steps: run(
                    scored(
                        candidate,
                        slabs[name].structure,
                        steps=0 if name == finder else steps,
                        parameters=Hopping(),
                    ),
                    member,
                )
                for steps in STEPS
            }
            found.energies[name] = {steps: adsorption(name, one.evaluation.energy) for steps, one in per_step.items()}
            found.calls[name] = {steps: 1 + one.steps for steps, one in per_step.items()}
            found.displacements[name] = {steps: one.displacement for steps, one in per_step.items()}
            found.left[name] = {steps: one.left_minimum for steps, one in per_step.items()}
            moved = _own_slab(candidate, slabs[finder].structure, slabs[name].structure)
            found.own_slab[name] = adsorption(name, member.evaluate([moved])[0].energy)
        yield found


def _own_slab(candidate: Structure, finders: Structure, own: Structure) -> Structure:
    """The candidate with its slab moved as the scoring member's clean slab differs from the finder's; the molecule goes with the
    mean of the surface layer."""
    shift = own.positions - finders.positions
    positions = candidate.positions.copy()
    positions[candidate.slab] += shift
    positions[candidate.adsorbate] += shift[own.surface].mean(axis=0)
    return candidate.moved(positions)


def errors(all_scores: Sequence[Scores], steps: int, *, offsets: bool) -> dict[str, float]:
    """Mean absolute error against DFT, eV: of the scoring members' energies one by one, and of the members' mean. offsets: with
    one constant per adsorbate and member (or per adsorbate, of the mean) removed."""
    one_by_one: dict[tuple[str, str], list[float]] = {}
    means: dict[str, list[float]] = {}
    for one in all_scores:
        if one.label is None:
            continue
        for member, energies in one.energies.items():
            if member != one.finder:
                one_by_one.setdefault((one.adsorbate, member), []).append(energies[steps] - one.label)
        mean = np.mean([energies[steps] for energies in one.energies.values()])
        means.setdefault(one.adsorbate, []).append(float(mean - one.label))
    groups = ([*one_by_one.values()], [*means.values()])
    return {what: _mean_absolute(values, offsets=offsets) for what, values in zip(ERRORS, groups, strict=True)}


def _mean_absolute(groups: Sequence[Sequence[float]], *, offsets: bool) -> float:
    left = [np.asarray(group) - (np.median(group) if offsets else 0.0) for group in groups]
    return float(np.abs(np.concatenate(left)).mean())


def summary(all_scores: Sequence[Scores], steps: int) -> dict[str, Any]:
    """One row of the table."""
    others = [(one, member) for one in all_scores for member in one.energies if member != one.finder]
    spreads = [one.spread(steps) for one in all_scores]
    apart = _apart(all_scores, steps)
    above = [one.energies[member][steps] - one.energies[member][FULL] for one, member in others]
    plain, removed = errors(all_scores, steps, offsets=False), errors(all_scores, steps, offsets=True)
    return {
        "force_calls": round(float(np.mean([one.calls[member][steps] for one, member in others])), 1),
        "above_own_minimum": round(float(np.mean(above)), 4),
        "most_above": round(float(np.max(above)), 4),
        "spread": round(float(np.mean(spreads)), 3),
        "spread_median": round(float(np.median(spreads)), 3),
        "within_limit": f"{sum(value <= LIMIT for value in spreads)}/{len(spreads)}",
        "finders_apart": round(float(np.mean(apart)), 3) if apart else None,
        "finders_most_apart": round(max(apart), 3) if apart else None,
        "pearson": round(_pearson(all_scores, steps), 2),
        "error": {key: round(value, 3) for key, value in plain.items()},
        "error_offsets_removed": {key: round(value, 3) for key, value in removed.items()},
        "left_minimum": sum(one.left[member][steps] is not None for one, member in others),
    }


def _pearson(all_scores: Sequence[Scores], steps: int) -> float:
    """Of the spread and the error of the members' mean."""
    both = [
        (one.spread(steps), abs(float(np.mean([by[steps] for by in one.energies.values()])) - one.label))
        for one in all_scores
        if one.label is not None
    ]
    return float(np.corrcoef(np.array(both).T)[0, 1])


def _apart(all_scores: Sequence[Scores], steps: int) -> list[float]:
    """How far apart the members' means are of the minima that two finders have of one site, eV."""
    by_system: dict[str, list[float]] = {}
    for one in all_scores:
        mean = np.mean([energies[steps] for energies in one.energies.values()])
        by_system.setdefault(one.system, []).append(float(mean))
    return [max(means) - min(means) for means in by_system.values() if len(means) > 1]


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two systems, one finder")
    parser.add_argument("--database", type=Path, default=DATABASE)
    parser.add_argument("--cache", type=Path, default=CACHE)
    asked = parser.parse_args()
    if not asked.database.exists():
        print(f"skipped: no labels in {asked.database}")
        report.finish({"skipped": "no labels"})
        return
    warnings.simplefilter("ignore")
    members = {name: Remembered(name, asked.cache) for name in MEMBERS}
    systems = [labelled(asked.database, reaction) for reaction in (REACTIONS[:2] if asked.quick else REACTIONS)]
    began = time.monotonic()
    found: list[Scores] = []
    for finder in FINDERS[:1] if asked.quick else FINDERS:
        for system in systems:
            found += measure(system, [finder], members)
            print(f"{system.name}, found by {finder}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    rows = {steps: summary(found, steps) for steps in STEPS}
    report.show(
        f"{len(systems)} systems, {len(found)} candidates, scored by {len(MEMBERS)} members; eV",
        [
            "steps",
            "calls",
            "above own minimum",
            "std",
            f"within {LIMIT}",
            "finders apart",
            "error",
            "error of the mean",
            "left",
        ],
        [
            [
                "full" if steps == FULL else steps,
                row["force_calls"],
                f"{row['above_own_minimum']} (most {row['most_above']})",
                f"{row['spread']} (median {row['spread_median']})",
                row["within_limit"],
                f"{row['finders_apart']} (most {row['finders_most_apart']})",
                *(f"{row['error'][what]} ({row['error_offsets_removed'][what]})" for what in ERRORS),
                row["left_minimum"],
            ]
            for steps, row in rows.items()
        ],
    )
    print("errors: mean absolute, against DFT; in brackets with one constant per adsorbate and member removed")
    result: dict[str, Any] = {"systems": len(systems), "candidates": len(found), "steps": rows}
    result["own_slab"] = round(float(np.mean(_own_slab_above(found))), 3)
    if not asked.quick:
        loose = [one for case in LOOSE for one in measure(unlabelled(case), FINDERS, members)]
        _show_loose(loose)
        result["loose"] = [asdict(one) for one in loose]
    result["scores"] = [asdict(one) for one in found]
    report.finish(result)


def _show_loose(found: Sequence[Scores]) -> None:
    report.show(
        "loose molecules: energies after 0, 3, 10 steps and in full, eV",
        ["system", "found by", "scored by", *(str(steps) for steps in (0, 3, 10)), "full", "calls in full", "left"],
        [
            [
                one.system,
                one.finder,
                member,
                *(f"{one.energies[member][steps]:.3f}" for steps in (0, 3, 10, FULL)),
                one.calls[member][FULL],
                one.left[member][FULL],
            ]
            for one in found
            for member in one.energies
            if member != one.finder
        ],
    )


def _own_slab_above(found: Sequence[Scores]) -> list[float]:
    """How far one evaluation on the member's own slab is above its minimum, eV."""
    return [
        one.own_slab[name] - one.energies[name][FULL] for one in found for name in one.energies if name != one.finder
    ]


if __name__ == "__main__":
    main()
