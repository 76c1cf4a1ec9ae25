"""What the CPU stages of a job, finding its placements and choosing its minima, load and store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from services.scoring import references
from services.scoring.ensemble import summarise
from services.systems.assembly import System
from services.systems.placement import Placed
from shared import scales
from shared.database.repositories import members, selections
from shared.database.repositories.references import Wanted, want
from shared.database.repositories.structures import keep
from shared.database.tables import Candidate, GivenStructures, Job, Placement, Walker
from shared.database.workflow import progression, transitions
from shared.given import Given
from shared.references import EnergyKind, ReferenceKind
from shared.scales import Scale
from shared.states import Stage, State
from shared.submissions import slab_as_given
from worker.queue import claims
from worker.tasks import choice, history, reference
from worker.tasks.stage_child import Comparing


def store_placements(session: Session, lease: claims.Lease, job: Job, system: System, placed: Iterable[Placed]) -> None:
    """Placements, a walker for each search member on each, the references they rest on, and what was decided on the way."""
    job.warnings = list(dict.fromkeys([*job.warnings, *system.warnings]))
    kept: dict[str, int] = {}  # hundreds of placements differ in their positions alone
    rows = []
    for index, one in enumerate(placed):
        digest = one.structure.topology_digest
        if digest not in kept:
            kept[digest] = keep(session, one.structure)
        rows.append(
            Placement(
                job_id=job.id,
                index=index,
                structure_id=kept[digest],
                positions=one.structure.positions,
                site=one.site,
                method=one.method,
                label=one.label,
            )
        )
    session.add_all(rows)
    session.execute(delete(GivenStructures).where(GivenStructures.job_id == job.id))
    session.flush()
    session.add_all(
        Walker(job_id=job.id, placement_id=row.id, member=member) for row in rows for member in job.search_members
    )
    kinds = members.energy_kinds(session)
    scoring = set(job.score_members)
    for member in sorted({*job.search_members, *job.refine_members, *scoring}):
        scale = scales.read(job.scales, member, kinds.get(member, EnergyKind.TOTAL)) if member in scoring else None
        want(session, job.id, member, _wanted(job, system, scale))
    reference.try_again(session, job)
    transitions.enter_stage(job, Stage.SEARCHING)
    claims.finish(session, lease, State.SUCCEEDED)


def given(session: Session, job: Job) -> Given | None:
    """The structures that a job was given, where it was."""
    row = session.get(GivenStructures, job.id)
    return None if row is None else Given.unpacked(row.labels, row.positions)


def _slab_steps(job: Job) -> int:
    """Most that the clean slab is relaxed for: none where energies are relative to it as it was given."""
    return 0 if slab_as_given(job.submission) else job.read_parameters().hopping.max_relaxation_steps


def _wanted(job: Job, system: System, scale: Scale | None) -> list[Wanted]:
    """A member needs the clean slab relaxed by itself, for restraints and anomalies; one that scores needs the gas molecules too,
    as far as its scale has no constants in their place. scale: None for one that doesn't score."""
    parameters = job.read_parameters()
    hopping, slab = parameters.hopping, system.slab
    wanted = [Wanted(ReferenceKind.SLAB, slab.formula, slab, hopping.fmax, _slab_steps(job))]
    if scale is not None:
        pbc = (bool(slab.pbc[0]), bool(slab.pbc[1]), bool(slab.pbc[2]))
        wanted += [
            Wanted(ReferenceKind.GAS, name, references.gas_start(name, pbc), hopping.fmax, hopping.max_relaxation_steps)
            for name in references.molecules(system.adsorbate.numbers, scale, parameters.references)
        ]
    return wanted


@dataclass(frozen=True)
class Found:
    """What a finished search found, and what is still to be compared of it."""

    candidates: list[history.Geometry]
    """All, in the order of the search, which decides who came first, never the order of arrival."""
    fresh: list[history.Geometry]
    """Those that no walker knew, and that are scored."""
    comparing: Comparing
    """Of these: by geometry and ensemble mean, since members have no common scale but that."""


def load_found(session: Session, job: Job) -> Found:
    """The candidates of a job whose search is over."""
    pool = selections.pool(session, job.id, job.score_members)
    mean = dict(zip(pool.keys.tolist(), summarise(pool.energies).mean.tolist(), strict=True))
    candidates = history.geometries(session, job.id)
    fresh = [one for one in candidates if one.duplicate_of is None and not np.isnan(mean[one.candidate_id])]
    structures, means = [one.structure for one in fresh], [mean[one.candidate_id] for one in fresh]
    return Found(candidates, fresh, Comparing(structures, means, job.read_parameters().similarity))


def choose_minima(
    session: Session, lease: claims.Lease, job: Job, found: Found, firsts: Sequence[int], said: Sequence[str] = ()
) -> None:
    """Mark duplicates across walkers and members, score every candidate, and store the job's own selection. firsts: for each of
    the fresh ones the index of its first. said: what the job's user is to know of these."""
    _mark_duplicates(session, found, firsts)
    made = choice.choose(session, job)
    job.warnings = list(dict.fromkeys([*job.warnings, *said, *made.warnings]))
    selections.store(session, job.id, made.rules, made.limit, made.pool, made.outcome, user_id=job.user_id)
    claims.finish(session, lease, State.SUCCEEDED)
    if (made.outcome.rank >= 0).any():
        transitions.end_job(session, job, State.SUCCEEDED)
    else:
        transitions.end_job(
            session, job, State.FAILED, kind="no_energies", reason=progression.why_unscored(session, job.id)
        )


def _mark_duplicates(session: Session, found: Found, firsts: Sequence[int]) -> None:
    fresh = found.fresh
    first_of = {one.candidate_id: fresh[first].candidate_id for one, first in zip(fresh, firsts, strict=True)}
    changed = []
    for one in found.candidates:
        # A walker may have marked it as the same as one that is now itself a duplicate.
        known_as = one.candidate_id if one.duplicate_of is None else one.duplicate_of
        first = first_of.get(known_as, known_as)
        duplicate_of = None if first == one.candidate_id else first
        if duplicate_of != one.duplicate_of:
            changed.append({"id": one.candidate_id, "duplicate_of": duplicate_of})
    if changed:
        session.execute(update(Candidate), changed)
