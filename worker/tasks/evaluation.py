"""An evaluation: one member's energy of one candidate, brought to the common reference. A member that didn't find the candidate
relaxes it for a few steps first; the one that did has told its energy there already, and isn't asked again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from services.forces.potential import Walk
from services.scoring import references
from services.search.own_geometry import scored
from shared import scales
from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Job, MemberEnergy
from shared.parameters import Hopping
from shared.references import EnergyKind, ReferenceKind
from shared.states import State
from shared.structures import Structure
from shared.submissions import Relax, given_to, slab_as_given
from worker.queue import claims
from worker.tasks.reading import Reading


@dataclass(frozen=True)
class Answer:
    """What a member says of a candidate."""

    energy: float
    """Bare, eV."""
    fmax: float
    """Largest force on a free atom, eV/Å."""
    steps: int = 0
    """That it relaxed it for."""
    displacement: float | None = None
    """As `Scored` has it, Å."""
    left_minimum: str | None = None
    """As `Scored` has it."""


@dataclass(frozen=True, eq=False)
class EvaluationItem:
    """An evaluation that was claimed, with the references that bring its energy to the common scale."""

    lease: claims.Lease
    job_ids: tuple[UUID, ...]
    structure: Structure
    steps: int
    """Most that the member may relax it for; 0 where it is a minimum of its own."""
    hopping: Hopping
    """How it relaxes."""
    told: Answer | None
    """What the member said when it found the candidate; None where another one did, or where it is to be relaxed yet."""
    clean_slab: Structure
    """As this member relaxed it."""
    slab: float | None
    """Energy of the relaxed clean slab, eV; None where the member predicts adsorption energies itself."""
    gas: float
    """Of the adsorbate's atoms in the gas, eV; 0 where the member predicts adsorption energies itself."""
    reference: str
    """What the adsorption energy is relative to, in words."""
    scale: str
    """On which scale, in words."""

    @classmethod
    def load(cls, reading: Reading, row: MemberEnergy, kind: EnergyKind) -> EvaluationItem:
        candidate = reading.session.get_one(Candidate, row.candidate_id)
        job, parameters = reading.job(row.job_id), reading.parameters(row.job_id)
        own = parameters.references
        structure = restore(candidate.structure, candidate.positions)
        numbers = structure.numbers[structure.adsorbate].tolist()
        scale = scales.read(job.scales, row.member, kind)
        found_it = row.member == candidate.member
        steps = _steps(job, found_it)
        slab, gas = None, 0.0
        if kind is EnergyKind.TOTAL:
            known = reading.references(row.job_id, row.member)
            slab = next(one.energy for one in known if one.kind == ReferenceKind.SLAB)
            relaxed = [one for one in known if one.kind == ReferenceKind.GAS]
            energies = {one.label: one.energy for one in relaxed if one.energy is not None}
            gas = references.gas_energy(numbers, scale, energies, own, row.member)
        return cls(
            lease=claims.lease_of(row),
            job_ids=(row.job_id,),
            structure=structure,
            steps=steps,
            hopping=parameters.hopping,
            told=Answer(candidate.energy, candidate.fmax) if found_it and steps == 0 else None,
            clean_slab=reading.clean_slab(row.job_id, row.member),
            slab=slab,
            gas=gas,
            reference=references.statement(
                references.coefficients(numbers, own), slab_as_given=slab is not None and slab_as_given(job.submission)
            ),
            scale=references.words(numbers, scale, own),
        )

    def walk(self) -> Walk[Answer]:
        if self.told is not None:
            return self.told
        found = yield from scored(self.structure, self.clean_slab, steps=self.steps, parameters=self.hopping)
        forces = np.linalg.norm(found.evaluation.forces[self.structure.free], axis=1)
        fmax = float(forces.max(initial=0.0))
        return Answer(found.evaluation.energy, fmax, found.steps, found.displacement, found.left_minimum)

    def ending(self, result: Answer) -> claims.Ending:
        values = {
            "energy": result.energy,
            "adsorption_energy": result.energy if self.slab is None else result.energy - self.slab - self.gas,
            "reference": self.reference,
            "scale": self.scale,
            "fmax": result.fmax,
            "relaxation_steps": result.steps,
            "displacement": result.displacement,
            "left_minimum": result.left_minimum,
        }
        return claims.Ending(State.SUCCEEDED, values)


def _steps(job: Job, own: bool) -> int:
    """Most that a member may relax a candidate for before it scores it. own: whether it is a minimum of that member's."""
    given = given_to(job.submission)
    if given is not None and given.relax is not Relax.SEARCH:  # nobody has relaxed it yet
        return job.read_parameters().ensemble.score_steps if given.relax is Relax.SCORE else 0
    return 0 if own else job.read_parameters().ensemble.score_steps
