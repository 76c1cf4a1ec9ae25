"""Jobs as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row

from api.jobs.file_names import stem
from api.jobs.progress import Progress
from api.view import View
from shared.states import Stage, State


class FailureView(View):
    """Why a job failed."""

    kind: str = Field(
        description="keeps science (`diverged`, `no_minimum`, `too_costly`) and machinery (`poison`, `out_of_memory`) apart"
    )
    reason: str


class Count(View):
    """How much of something is done."""

    done: int
    total: int


class WalkerCounts(View):
    """Walkers by state; the rest of the total is queued or cancelled."""

    total: int
    running: int
    succeeded: int
    failed: int


class HopCounts(View):
    """Hops of all walkers, relaxations of the placements included."""

    done: int
    most: int = Field(description="where no walker stops early")


class CandidateCounts(View):
    """Relaxed local minima."""

    total: int
    distinct: int = Field(description="not known to be another one again")


class EvaluationCounts(View):
    """Candidate x member evaluations."""

    done: int
    failed: int
    total: int


class BestView(View):
    """Lowest adsorption energy so far."""

    adsorption_energy: float = Field(description="eV per adslab")
    member: str = Field(description='"mean" where several scored it')
    n_members: int
    reference: str


class ProgressView(View):
    """How far a job is."""

    placements: int
    references: Count
    walkers: WalkerCounts
    hops: HopCounts
    candidates: CandidateCounts
    evaluations: EvaluationCounts
    force_calls: int = Field(description="of its walkers")
    best: BestView | None


class TroubleView(View):
    """Work of a job that failed alike; a job whose candidates partly failed succeeds all the same."""

    work: str
    kind: str
    reason: str
    count: int


class JobView(View):
    """A job."""

    id: UUID
    name: str
    file_stem: str = Field(description="what the names of its files begin with")
    user: str
    group: str | None = Field(description="whose members may read it")
    state: State
    stage: Stage
    adsorbate: str
    surface: str
    priority: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    candidates_dropped_at: datetime | None = Field(
        description="when the server's rules on what is kept removed all but its minima, if they did"
    )
    estimated_force_calls: int | None = Field(description="of its search, when it was submitted")
    stored_bytes: int | None = Field(description="what is stored for it; likely to be, until it is measured")
    waiting_for: str | None = Field(description="why an open job isn't moving; null while a worker holds some of it")
    failure: FailureView | None
    parameters: dict[str, Any]
    search_members: list[str]
    refine_members: list[str]
    score_members: list[str]
    calibration: int | None = Field(
        description="by which it chooses, in force when it was submitted; null where its limit is a number"
    )
    progress: ProgressView
    failures: list[TroubleView]
    warnings: list[str] = Field(
        description="what was ignored, simplified or decided for you: in reading the request, then in the search"
    )


class JobPage(View):
    """A page of jobs."""

    jobs: list[JobView] = Field(description="newest first")
    next: str | None = Field(description="the cursor of the next page")


def job_view(job: Row[Any], *, progress: Progress, waiting_for: str | None) -> JobView:
    """A stored job, as api.jobs.shown has it, and what is known of its progress."""
    failure = None
    if job.failure_kind is not None:
        failure = FailureView(kind=job.failure_kind, reason=job.failure_reason or "")
    return JobView(
        id=job.id,
        name=job.name,
        file_stem=stem(job.name, job.id),
        user=job.user_name,
        group=job.group_name,
        state=State(job.state),
        stage=Stage(job.stage),
        adsorbate=job.adsorbate,
        surface=job.surface,
        priority=job.priority,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        candidates_dropped_at=job.candidates_dropped_at,
        estimated_force_calls=job.estimated_force_calls,
        stored_bytes=job.stored_bytes,
        waiting_for=waiting_for,
        failure=failure,
        parameters=job.parameters,
        search_members=job.search_members,
        refine_members=job.refine_members,
        score_members=job.score_members,
        calibration=job.calibration_id,
        progress=_progress_view(progress),
        failures=[TroubleView(**vars(trouble)) for trouble in progress.failures],
        warnings=[*job.warnings, *progress.warnings, *_dropped(job)],
    )


def _dropped(job: Row[Any]) -> list[str]:
    at = job.candidates_dropped_at
    if at is None:
        return []
    return [
        f"its candidates were dropped on {at.day} {at:%B %Y}, as this server's rules on what is kept say: its minima and what they "
        "rest on are left"
    ]


def _progress_view(progress: Progress) -> ProgressView:
    walkers, evaluations = progress.walkers, progress.evaluations
    return ProgressView(
        placements=progress.placements,
        references=Count(done=progress.references_done, total=progress.references_total),
        walkers=WalkerCounts(
            total=progress.walkers_total,
            running=walkers.get(State.RUNNING, 0),
            succeeded=walkers.get(State.SUCCEEDED, 0),
            failed=walkers.get(State.FAILED, 0),
        ),
        hops=HopCounts(done=progress.hops_done, most=progress.hops_most),
        candidates=CandidateCounts(total=progress.candidates_total, distinct=progress.candidates_distinct),
        evaluations=EvaluationCounts(
            done=evaluations.get(State.SUCCEEDED, 0),
            failed=evaluations.get(State.FAILED, 0),
            total=progress.evaluations_total,
        ),
        force_calls=progress.force_calls,
        best=BestView(**vars(progress.best)) if progress.best is not None else None,
    )
