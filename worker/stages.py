"""The short CPU stages of a job: finding its placements, and choosing its minima."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import TypeAdapter
from sqlalchemy import delete
from sqlalchemy.orm import Session

from services import references, selection, similarity
from services.placement import Placed, place
from services.potential import EnergyKind
from services.selection import Scored
from services.systems import System, assemble
from shared.database.repositories import claims, registry, search, settling
from shared.database.repositories.references import GAS, SLAB, Wanted, want
from shared.database.repositories.structures import keep, restore
from shared.database.tables import Candidate, Job, MemberEnergy, Minimum, Placement, Score, Walker
from shared.parameters import JobParameters
from shared.states import Stage, State
from shared.submissions import Submission

_SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)
_PLACEMENT_STREAM = 1
"""Second word of the seed of placements, so that no other part of a job draws the same numbers."""


def find_placements(job: Job) -> tuple[System, list[Placed]]:
    """The system that was submitted, and where its walkers start. Raises InvalidInput."""
    parameters = JobParameters.model_validate(job.parameters)
    system = assemble(_SUBMISSION.validate_python(job.submission))
    rng = np.random.default_rng([parameters.seed, _PLACEMENT_STREAM])
    placed = [Placed(system.first, "submitted", "submitted")] if system.first is not None else []
    left = parameters.placement.count - len(placed)
    if left > 0:
        settings = parameters.placement.model_copy(update={"count": left})
        placed += place(system.slab, system.adsorbate, settings, rng)
    return system, placed


def store_placements(session: Session, lease: claims.Lease, job: Job, system: System, placed: Iterable[Placed]) -> None:
    """Placements, a walker for each search member on each, and the references they rest on."""
    for index, one in enumerate(placed):
        row = Placement(
            job_id=job.id,
            index=index,
            structure_id=keep(session, one.structure),
            positions=one.structure.positions,
            site=one.site,
            method=one.method,
        )
        session.add(row)
        session.flush()
        session.add_all(Walker(job_id=job.id, placement_id=row.id, member=member) for member in job.search_members)
    kinds = registry.energy_kinds(session)
    for member in sorted({*job.search_members, *job.score_members}):
        want(session, job.id, member, _wanted(job, system, kinds.get(member, EnergyKind.TOTAL)))
    job.stage = Stage.SEARCHING
    claims.finish(session, lease, State.SUCCEEDED)


def _wanted(job: Job, system: System, kind: str) -> list[Wanted]:
    """A member needs the clean slab relaxed by itself, for restraints and anomalies; one that predicts total energies needs
    the gas molecules too."""
    hopping = JobParameters.model_validate(job.parameters).hopping
    slab = system.slab
    wanted = [Wanted(SLAB, slab.formula, slab, hopping.fmax, hopping.max_relaxation_steps)]
    if kind == EnergyKind.TOTAL:
        pbc = (bool(slab.pbc[0]), bool(slab.pbc[1]), bool(slab.pbc[2]))
        wanted += [
            Wanted(GAS, name, references.gas_start(name, pbc), hopping.fmax, hopping.max_relaxation_steps)
            for name in references.coefficients(system.adsorbate.numbers)
        ]
    return wanted


def choose_minima(session: Session, lease: claims.Lease, job: Job) -> None:
    """Score every candidate, mark duplicates across walkers and members, and store the minima."""
    parameters = JobParameters.model_validate(job.parameters)
    rows = [candidate for candidate, _ in search.candidates(session, job.id)]
    energies = search.energies(session, job.id)
    _mark_duplicates(rows, energies, parameters)
    judged = [
        selection.judge(_scored(row, energies.get(row.id, [])), parameters.ensemble, parameters.selection)
        for row in rows
    ]
    choices = selection.choose(judged, parameters.selection)
    session.execute(delete(Score).where(Score.job_id == job.id))
    session.execute(delete(Minimum).where(Minimum.job_id == job.id))
    session.add_all(
        Score(
            candidate_id=one.key,
            job_id=job.id,
            mean=one.summary.mean,
            std=one.summary.std,
            range=one.summary.range,
            n=one.summary.n,
            passes=one.passes,
            reason=one.reason,
        )
        for one in judged
    )
    session.add_all(
        Minimum(
            job_id=job.id,
            rank=choice.rank,
            candidate_id=choice.key,
            low_confidence=choice.low_confidence,
            reason=choice.reason,
        )
        for choice in choices
    )
    claims.finish(session, lease, State.SUCCEEDED)
    if choices:
        settling.end(session, job, State.SUCCEEDED)
    else:
        settling.end(
            session,
            job,
            State.FAILED,
            kind="no_energies",
            reason="no candidate could be scored by any member; see the failures of the evaluations",
        )


def _scored(row: Candidate, energies: list[MemberEnergy]) -> Scored:
    done = [
        one for one in energies if one.state == State.SUCCEEDED and one.adsorption_energy is not None and one.reference
    ]
    return Scored(
        key=row.id,
        energies={one.member: one.adsorption_energy for one in done if one.adsorption_energy is not None},
        references={one.member: one.reference for one in done if one.reference is not None},
        converged=row.converged,
        fmax=row.fmax,
        anomalies=tuple(row.anomalies),
        duplicate_of=row.duplicate_of,
    )


def _mark_duplicates(rows: list[Candidate], energies: dict[int, list[MemberEnergy]], parameters: JobParameters) -> None:
    """Candidates that different walkers or members found alike, compared by geometry and ensemble mean: members have no
    common scale but that. The order of `rows` decides who came first."""
    means: dict[int, float] = {}
    for row in rows:
        values = [one.adsorption_energy for one in energies.get(row.id, []) if one.adsorption_energy is not None]
        if row.duplicate_of is None and values:
            means[row.id] = float(np.mean(values))
    fresh = [row for row in rows if row.id in means]
    structures = [restore(row.structure, row.positions) for row in fresh]
    firsts = similarity.representatives(structures, [means[row.id] for row in fresh], parameters.similarity)
    first_of = {row.id: fresh[first].id for row, first in zip(fresh, firsts, strict=True)}
    for row in rows:
        # A walker may have marked it as the same as one that is now itself a duplicate.
        key = row.id if row.duplicate_of is None else row.duplicate_of
        first = first_of.get(key, key)
        row.duplicate_of = None if first == row.id else first
