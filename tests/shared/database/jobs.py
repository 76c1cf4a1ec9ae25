"""Rows for the tests: users, jobs, walkers, as placements would leave them."""

import numpy as np
from sqlalchemy.orm import Session

from shared.database.repositories.structures import keep
from shared.database.tables import Candidate, Job, JobReference, MemberEnergy, Placement, Reference, User, Walker
from shared.database.workflow import lanes
from shared.parameters import JobParameters
from shared.states import Stage, State
from shared.structures import Structure

STRUCTURE = Structure.from_tags(
    numbers=[78, 6],
    positions=[[0, 0, 0], [0, 0, 2]],
    cell=[[3, 0, 0], [0, 3, 0], [0, 0, 20]],
    pbc=[True, True, True],
    tags=[1, 2],
    fixed=[True, False],
)


def add_job(session: Session, *, user: str = "first", walkers: int = 1, priority: int = 0, **values: object) -> Job:
    """A job in its search, with `walkers` queued walkers of member `emt` and no references to wait for."""
    owner = session.query(User).filter_by(name=user).one_or_none() or User(name=user)
    session.add(owner)
    session.flush()
    job = Job(
        user_id=owner.id,
        name="test",
        adsorbate="C",
        surface="Pt",
        submission={},
        parameters=JobParameters().model_dump(mode="json"),
        search_members=["emt"],
        score_members=["emt"],
        priority=priority,
        stage=values.pop("stage", Stage.SEARCHING),
        **values,
    )
    session.add(job)
    session.flush()
    for index in range(walkers):
        placement = Placement(
            job_id=job.id,
            index=index,
            structure_id=keep(session, STRUCTURE),
            positions=STRUCTURE.positions,
            site="top",
            method="test",
        )
        session.add(placement)
        session.flush()
        session.add(Walker(job_id=job.id, placement_id=placement.id, member="emt"))
    session.flush()
    lanes.refresh(session, [job.id])
    return job


def add_reference(session: Session, job: Job, *, state: State = State.QUEUED, member: str = "emt") -> Reference:
    """A reference that the job rests on."""
    reference = Reference(
        member=member,
        digest=f"{job.id}-{member}",
        kind="slab",
        label="Pt",
        fmax=0.05,
        max_steps=10,
        structure_id=keep(session, STRUCTURE),
        start_positions=np.zeros((2, 3)),
        state=state,
        energy=-1.0 if state is State.SUCCEEDED else None,
        failure_kind="no_minimum" if state is State.FAILED else None,
        failure_reason="too steep" if state is State.FAILED else None,
    )
    session.add(reference)
    session.flush()
    session.add(JobReference(job_id=job.id, reference_id=reference.id))
    session.flush()
    lanes.refresh(session, [job.id])
    return reference


OWN = "by each member's own molecules"
"""The scale of members of total energies that nothing else is known of."""
SLAB_C = "relaxed clean slab + CO(g) + H2(g) - H2O(g)"


def add_candidates(
    session: Session, job: Job, energies: list[dict[str, float | None]], *, reference: str = SLAB_C, **values: object
) -> list[Candidate]:
    """A candidate for each entry, with the adsorption energies of its members, eV; None for a member that failed."""
    walker = session.query(Walker).filter_by(job_id=job.id).first()
    assert walker is not None
    first = session.query(Candidate).filter_by(walker_id=walker.id).count()
    made = []
    for hop, by_member in enumerate(energies, start=first):
        candidate = Candidate(
            job_id=job.id,
            walker_id=walker.id,
            hop=hop,
            member="emt",
            structure_id=keep(session, STRUCTURE),
            # a ladder of heights: no two are the same minimum
            positions=STRUCTURE.positions + np.array([[0, 0, 0], [0, 0, 0.3 * hop]]),
            energy=-1.0,
            fmax=0.01,
            converged=True,
            site="top",
            accepted=True,
            force_calls=1,
            **({"anomalies": []} | values),
        )
        session.add(candidate)
        session.flush()
        made.append(candidate)
        for member, energy in by_member.items():
            done = energy is not None
            session.add(
                MemberEnergy(
                    job_id=job.id,
                    candidate_id=candidate.id,
                    member=member,
                    state=State.SUCCEEDED if done else State.FAILED,
                    energy=-100.0 if done else None,
                    adsorption_energy=energy,
                    reference=reference if done else None,
                    scale=OWN if done else None,
                    failure_kind=None if done else "diverged",
                    failure_reason=None if done else "ran away",
                )
            )
    session.flush()
    return made
