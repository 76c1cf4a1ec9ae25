"""Candidates found by one member and scored by the others after some steps: what `benchmarks.score_steps` sums up."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.dft_labels import Label
from benchmarks.systems import Case, build, starts
from services.forces.engine import run
from services.forces.potential import Card, Evaluation, Potential
from services.scoring import references
from services.search.curvature import model_hessian
from services.search.minimisation import Relaxation, relax
from services.search.own_geometry import scored
from shared.parameters import Hopping
from shared.structures import Structure
from worker.potentials import registry

FULL = 200
STEPS = (0, 3, 5, 10, 20, FULL)


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
            self.path.parent.mkdir(exist_ok=True)
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


def labelled(found: Sequence[Label], reaction: int) -> Labelled:
    """One reaction of these."""
    one = next(label for label in found if label.reaction == reaction)
    facet = f"{one.facet}-{one.site}" if one.site else one.facet
    return Labelled(f"{one.adsorbate}/{one.metal}({facet})", one.adsorbate, one.adslab, one.slab, one.energy)


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
