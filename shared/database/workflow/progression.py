"""Moving a job on when its work is done. Idempotent: called after every commit, and by the dispatcher for every open job."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import (
    Candidate,
    Job,
    JobReference,
    MemberEnergy,
    Reference,
    StageRow,
    Walker,
)
from shared.database.workflow import lanes, retrying, transitions
from shared.database.workflow.new_work import enqueue_evaluations
from shared.states import OPEN, Stage, State, Work

REFERENCE_FAILED = "reference_failed"


def due(session: Session) -> list[UUID]:
    """Open jobs that `move_on` would move on: a stage was given up, a reference failed, nothing is left to search and score, or their
    lanes are behind."""
    stuck = session.scalars(_stuck().order_by(Job.created_at))
    return list(dict.fromkeys([*stuck, *lanes.behind(session)]))


def _stuck() -> Select[UUID]:
    stage_failed = exists().where(StageRow.job_id == Job.id, StageRow.state == State.FAILED)
    work = [exists().where(table.job_id == Job.id, table.state.in_(OPEN)) for table in (Walker, MemberEnergy)]
    reference_failed = exists().where(
        JobReference.job_id == Job.id, Reference.id == JobReference.reference_id, Reference.state == State.FAILED
    )
    return select(Job.id).where(
        Job.state.in_(OPEN),
        or_(
            and_(Job.stage.in_((Stage.PLACING, Stage.SELECTING)), stage_failed),
            and_(Job.stage == Stage.SEARCHING, or_(reference_failed, ~or_(*work))),
        ),
    )


def move_on(session: Session, job_id: UUID) -> bool:
    """Open the selection stage when nothing is left to search or score, or end the job where there is nothing to choose
    from. Returns whether a CPU worker is needed now."""
    job = transitions.lock_job(session, job_id)
    if job is None or State(job.state).ended:
        return False
    if job.stage == Stage.PLACING or job.stage == Stage.SELECTING:
        return _follow_stage(session, job)
    _fail_without_references(session, job)
    if State(job.state).ended:
        return False
    if _open(session, Walker, job_id) or _open(session, MemberEnergy, job_id):
        lanes.refresh(session, [job_id])
        return False
    found = session.scalars(select(func.count()).select_from(Candidate).where(Candidate.job_id == job_id)).one()
    if not found:
        _end_empty(session, job)
        return False
    if not _scored(session, job_id) and _score_lowest(session, job):
        lanes.refresh(session, [job_id])
        return False
    lanes.close(session, [job_id])
    session.execute(insert(StageRow).values(job_id=job_id, work=Work.SELECTION).on_conflict_do_nothing())
    transitions.enter_stage(job, Stage.SELECTING)
    return True


def resting_on(session: Session, reference_id: int) -> tuple[UUID, ...]:
    """Jobs that rest on a reference."""
    return tuple(session.scalars(select(JobReference.job_id).where(JobReference.reference_id == reference_id)))


def move_all_on(session: Session, job_ids: Sequence[UUID]) -> bool:
    """The same for several jobs, in one order for everybody; of most it is only asked which lanes are open."""
    locked = select(Job.id).where(Job.id.in_(job_ids)).order_by(Job.id).with_for_update(key_share=True)
    some = session.scalars(locked).all()
    stuck = session.scalars(_stuck().where(Job.id.in_(some))).all() if len(some) > 1 else some
    to_choose = [job_id for job_id in stuck if move_on(session, job_id)]
    lanes.refresh(session, sorted(set(some) - set(stuck)))
    return bool(to_choose)


def _follow_stage(session: Session, job: Job) -> bool:
    """A CPU stage that was given up takes the job with it."""
    work = Work.PLACEMENT if job.stage == Stage.PLACING else Work.SELECTION
    row = session.scalars(select(StageRow).where(StageRow.job_id == job.id, StageRow.work == work)).one_or_none()
    if row is not None and row.state == State.FAILED:
        transitions.end_job(session, job, State.FAILED, kind=row.failure_kind, reason=row.failure_reason)
    return row is not None and row.state == State.QUEUED


def _open(session: Session, table: type[Walker] | type[MemberEnergy], job_id: UUID) -> bool:
    query = select(table.id).where(table.job_id == job_id, table.state.in_(OPEN)).limit(1)
    return session.scalar(query) is not None


def _fail_without_references(session: Session, job: Job) -> None:
    """Work of a member whose references can't be had fails, with the reason; the other members go on. Where none of those that score
    is left, there is nothing to search for."""
    failed = session.scalars(
        select(Reference)
        .join(JobReference, JobReference.reference_id == Reference.id)
        .where(JobReference.job_id == job.id, Reference.state == State.FAILED)
        .order_by(Reference.id)
    ).all()
    reasons = {one.member: f"{one.title} failed: {one.failure_reason}; {retrying.way_out(one)}" for one in failed}
    for member, reason in reasons.items():
        transitions.fail_member(session, job.id, member, kind=REFERENCE_FAILED, reason=reason)
    if reasons and not set(job.score_members) - reasons.keys() and not _scored(session, job.id, State.SUCCEEDED):
        reason = next(reasons[member] for member in job.score_members)
        transitions.end_job(
            session, job, State.FAILED, kind=REFERENCE_FAILED, reason=f"no member is left to score with: {reason}"
        )


def _end_empty(session: Session, job: Job) -> None:
    """No walker brought a candidate: the commonest reason becomes the job's."""
    kind, text = _commonest(session, Walker, job.id) or ("no_minimum", "no walker found a minimum")
    transitions.end_job(session, job, State.FAILED, kind=kind, reason=f"no candidate was found; of the walkers: {text}")


def why_unscored(session: Session, job_id: UUID) -> str:
    """The commonest reason for which no candidate of a job has an energy, for people."""
    _, text = _commonest(session, MemberEnergy, job_id) or ("", "none was asked for")
    return f"no candidate could be scored by any member; of the evaluations: {text}"


def _commonest(session: Session, table: type[Walker] | type[MemberEnergy], job_id: UUID) -> tuple[str, str] | None:
    """Kind of and reason for most of the failures among a job's rows."""
    found = session.execute(
        select(table.failure_kind, table.failure_reason)
        .where(table.job_id == job_id, table.state == State.FAILED)
        .group_by(table.failure_kind, table.failure_reason)
        .order_by(func.count().desc(), table.failure_reason)
        .limit(1)
    ).one_or_none()
    return None if found is None else (found[0] or "", found[1] or "")


def _scored(session: Session, job_id: UUID, *states: State) -> bool:
    """Whether an energy was asked for that is in one of these states; any state where none is named."""
    query = select(MemberEnergy.id).where(MemberEnergy.job_id == job_id).limit(1)
    return session.scalar(query.where(MemberEnergy.state.in_(states)) if states else query) is not None


def _score_lowest(session: Session, job: Job) -> bool:
    """No candidate is sound, so none was scored: score the lowest of each search member all the same, so that there is an
    answer, marked as such. Converged ones come first, then those with fewer anomalies."""
    asked = False
    for member in job.search_members:
        lowest = session.scalars(
            select(Candidate)
            .where(Candidate.job_id == job.id, Candidate.member == member)
            .order_by(
                Candidate.converged.desc(),
                func.cardinality(Candidate.anomalies),
                Candidate.energy,
                Candidate.hop,
                Candidate.id,
            )
            .limit(1)
        ).one_or_none()
        if lowest is not None:
            enqueue_evaluations(session, lowest, job.score_members)
            asked = True
    return asked
