"""An evaluation: one member's energy of one candidate, brought to the common reference."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from services.forces.potential import EnergyKind, Evaluation, Request, Walk
from services.scoring import references
from shared.database.repositories.references import GAS, SLAB, of_job
from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Job, MemberEnergy
from shared.parameters import JobParameters
from shared.states import State
from shared.structures import Structure
from worker.queue import claims


@dataclass(frozen=True, eq=False)
class EvaluationItem:
    """slab: energy of the relaxed clean slab, eV; gas: energies of the gas molecules and of the job's own references, eV, by name;
    None and empty where the member predicts adsorption energies itself. coefficients: how many of each."""

    lease: claims.Lease
    job_ids: tuple[UUID, ...]
    structure: Structure
    slab: float | None
    gas: dict[str, float]
    coefficients: dict[str, float]

    @classmethod
    def load(cls, session: Session, row: MemberEnergy, kind: EnergyKind) -> EvaluationItem:
        candidate = session.get_one(Candidate, row.candidate_id)
        own = JobParameters.model_validate(session.get_one(Job, row.job_id).parameters).references
        structure = restore(candidate.structure, candidate.positions)
        slab, gas = None, {}
        if kind is EnergyKind.TOTAL:
            known = of_job(session, row.job_id, row.member)
            slab = next(one.energy for one in known if one.kind == SLAB)
            gas = {one.label: one.energy for one in known if one.kind == GAS and one.energy is not None}
            gas |= references.own_energies(own, row.member)
        return cls(
            lease=claims.lease_of(row),
            job_ids=(row.job_id,),
            structure=structure,
            slab=slab,
            gas=gas,
            coefficients=references.coefficients(structure.numbers[structure.adsorbate].tolist(), own),
        )

    def walk(self) -> Walk[Evaluation]:
        return (yield Request(self.structure)).evaluation

    def store(self, session: Session, result: Evaluation) -> None:
        adsorption = (
            result.energy
            if self.slab is None
            else references.adsorption_energy(result.energy, self.slab, self.gas, self.coefficients)
        )
        forces = np.linalg.norm(result.forces[self.structure.free], axis=1)
        claims.finish(
            session,
            self.lease,
            State.SUCCEEDED,
            energy=result.energy,
            adsorption_energy=adsorption,
            reference=references.statement(self.coefficients),
            fmax=float(forces.max(initial=0.0)),
        )
