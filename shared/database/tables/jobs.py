"""Jobs, and what is claimed to move them on."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    case,
    func,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database.tables.base import Base, WorkRow, of_job
from shared.database.tables.columns import Now, claim_indexes, claimable_checks, one_of
from shared.database.tables.placements import Placement
from shared.parameters import CALIBRATED, JobParameters
from shared.states import Stage, State, Work


class Job(Base):
    """One (adsorbate, surface) pair."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    adsorbate: Mapped[str]
    """Its name, for people."""
    surface: Mapped[str]
    """Its name, for people."""
    state: Mapped[str] = mapped_column(default=State.QUEUED, server_default=State.QUEUED)
    stage: Mapped[str] = mapped_column(default=Stage.PLACING, server_default=Stage.PLACING)
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    """Among the jobs of its user; higher ones first."""
    submission: Mapped[dict[str, Any]]
    """shared.submissions.Submission."""
    warnings: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    """What was ignored, simplified or decided when the request was read; for people."""
    parameters: Mapped[dict[str, Any]]
    """shared.parameters.JobParameters as they were asked for; `read_parameters` reads them."""
    search_members: Mapped[list[str]]
    """The members that are used, as the next two: named, or the server's defaults."""
    refine_members: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    score_members: Mapped[list[str]]
    scales: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """shared.scales.Scale of each member that scores, by name, as it was when the job was submitted (shared.scales.read)."""
    cautions: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    """What is known to be wrong with its members on its system, as it was told then; for people."""
    calibration_id: Mapped[int | None] = mapped_column(ForeignKey("calibrations.id"), index=True)
    """Whose limit it chooses by, where it asked for a calibrated one: in force when it was submitted, whatever came of it since."""
    last_selection: Mapped[int] = mapped_column(default=0, server_default="0")
    """The highest number that a selection of it was given."""
    idempotency_key: Mapped[str | None]
    request_digest: Mapped[str | None]
    """SHA-256 of the request that came with the idempotency key."""
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="SET NULL"))
    """Whose members may read it."""
    estimated_force_calls: Mapped[int | None] = mapped_column(BigInteger)
    """Of the search, when it was submitted (api.jobs.estimate)."""
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of its rows and their indexes; likely to be, until it is measured."""
    measured_at: Mapped[datetime | None]
    """Null for what was not measured since it last changed; the dispatcher sees to it once the job has ended."""
    created_at: Mapped[Now]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    candidates_dropped_at: Mapped[datetime | None]
    """Since when all but the minima and what they rest on is being removed, or gone."""
    deleted_at: Mapped[datetime | None]
    """Its rows are being removed: nobody sees it any more."""
    failure_kind: Mapped[str | None]
    """As the failures of shared.errors call it."""
    failure_reason: Mapped[str | None]
    """For people."""

    __table_args__ = (
        one_of("state", [state.value for state in State], "state"),
        CheckConstraint("(state = 'failed') = (failure_kind IS NOT NULL)", name="failed_has_kind"),
        CheckConstraint(
            "(state IN ('succeeded', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended_has_time"
        ),
        one_of("stage", [stage.value for stage in Stage], "stage"),
        UniqueConstraint("user_id", "idempotency_key"),
        Index("ix_jobs_keyset", "user_id", text("created_at DESC"), text("id DESC")),
        Index("ix_jobs_newest", text("created_at DESC"), text("id DESC")),
        Index(
            "ix_jobs_group",
            "group_id",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=text("group_id IS NOT NULL"),
        ),
        Index(
            "ix_jobs_use",
            "user_id",
            postgresql_include=["state", "estimated_force_calls", "stored_bytes"],
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_jobs_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL AND deleted_at IS NULL")),
        Index(
            "ix_jobs_whole", "ended_at", postgresql_where=text("ended_at IS NOT NULL AND candidates_dropped_at IS NULL")
        ),
        Index("ix_jobs_unmeasured", "ended_at", postgresql_where=text("ended_at IS NOT NULL AND measured_at IS NULL")),
        Index("ix_jobs_deleted", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
        Index("ix_jobs_open", "state", "stage", postgresql_where=text("state IN ('queued', 'running')")),
        Index("ix_jobs_line", "created_at", "id", postgresql_where=text("state IN ('queued', 'running')")),
        Index("ix_jobs_open_of_user", "user_id", postgresql_where=text("state IN ('queued', 'running')")),
        Index(
            "ix_jobs_staged",
            "user_id",
            text("(- priority)"),
            "created_at",
            "id",
            postgresql_where=text("state IN ('queued', 'running') AND stage IN ('placing', 'selecting')"),
        ),
    )

    def read_parameters(self) -> JobParameters:
        """What steers the job; the document is read anew by every call."""
        return JobParameters.model_validate(self.parameters)

    @hybrid_property
    def lag(self) -> int:
        return self.read_parameters().hopping.lag

    @lag.inplace.expression
    @classmethod
    def _lag(cls) -> ColumnElement[int]:
        lag: ColumnElement[int] = _stored(cls.parameters, "hopping", "lag").as_integer()
        return lag

    @hybrid_property
    def spread(self) -> str:
        return self.read_parameters().ensemble.spread

    @spread.inplace.expression
    @classmethod
    def _spread(cls) -> ColumnElement[str]:
        spread: ColumnElement[str] = _stored(cls.parameters, "ensemble", "spread").as_string()
        return spread

    @hybrid_property
    def own_limit(self) -> float | None:
        """The limit of the spread, eV, where the job gives a number; None where the calibration's is asked for."""
        limit = self.read_parameters().ensemble.limit
        return None if limit == CALIBRATED else float(limit)

    @own_limit.inplace.expression
    @classmethod
    def _own_limit(cls) -> ColumnElement[float | None]:
        limit = _stored(cls.parameters, "ensemble", "limit")
        return case((func.jsonb_typeof(limit) == "number", limit.as_float()))


def _stored(parameters: Any, *path: str) -> Any:
    """A value of the stored parameters, in SQL. Raises KeyError where JobParameters have no such field: one that is renamed
    can't be forgotten here."""
    model: Any = JobParameters
    for name in path:
        model, parameters = model.model_fields[name].annotation, parameters[name]
    return parameters


class StageRow(WorkRow):
    """A short CPU stage of a job: finding placements, or choosing the minima."""

    __tablename__ = "stages"

    job_id: Mapped[UUID] = of_job()
    work: Mapped[str]
    """shared.states.Work."""

    __table_args__ = (
        *claimable_checks(),
        one_of("work", [Work.PLACEMENT.value, Work.SELECTION.value], "work"),
        UniqueConstraint("job_id", "work"),
        Index("ix_stages_open", "state", postgresql_where=text("state IN ('queued', 'running')")),
    )


class Walker(WorkRow):
    """One minima-hopping run from one placement with one search member; claimed a hop at a time. Or the one relaxation of a
    candidate by a refining member."""

    __tablename__ = "walkers"

    job_id: Mapped[UUID] = of_job()
    placement_id: Mapped[int] = mapped_column(ForeignKey("placements.id", ondelete="CASCADE"))
    member: Mapped[str]
    refines: Mapped[int | None] = mapped_column(
        ForeignKey("candidates.id", ondelete="CASCADE", use_alter=True), index=True
    )
    """The candidate that is relaxed again; null for a walker that hops."""
    hop: Mapped[int] = mapped_column(default=0, server_default="0")
    """The next hop to run; hop 0 is the relaxation of the placement."""
    memory: Mapped[dict[str, Any] | None]
    """All that the walker needs to go on, random generator included."""
    force_calls: Mapped[int] = mapped_column(default=0, server_default="0")
    """Used so far."""
    ended_because: Mapped[str | None]
    """shared.states.WalkerEnd."""

    placement: Mapped[Placement] = relationship()

    __table_args__ = (
        *claimable_checks(),
        UniqueConstraint("placement_id", "member", "refines", postgresql_nulls_not_distinct=True),
        *claim_indexes("walkers"),
        Index(
            "ix_walkers_open",
            "job_id",
            "member",
            "state",
            "hop",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index(
            "ix_walkers_slowest",
            "job_id",
            "member",
            "hop",
            postgresql_where=text("state IN ('queued', 'running') AND refines IS NULL"),
        ),
        Index("ix_walkers_job", "job_id", "member", "hop"),
    )
