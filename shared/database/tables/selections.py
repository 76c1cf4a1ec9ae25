"""Ways of choosing among a job's candidates, what each says of every candidate, and the minima."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base, of_job
from shared.database.tables.columns import Key, Now
from shared.parameters import Choosing


class Selection(Base):
    """One way of scoring and choosing among a job's candidates. Number 0 is the job's own; more are asked for when it has ended."""

    __tablename__ = "selections"

    id: Mapped[Key]
    job_id: Mapped[UUID] = of_job()
    number: Mapped[int]
    """Within the job, from 0; that of one that was deleted isn't given again."""
    rules: Mapped[dict[str, Any]]
    """shared.parameters.Choosing; `read_rules` reads them."""
    limit: Mapped[float | None]
    """Of the spread, eV: as asked for, or as the calibration said; null where a calibrated one was asked for and couldn't be had."""
    calibration_id: Mapped[int | None] = mapped_column(ForeignKey("calibrations.id"))
    """Where the limit comes from, if from one."""
    reference: Mapped[str]
    """Of all its energies, with their scale, in words."""
    offsets: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    """Of members, eV, by name (services.scoring.offsets); those that have none are left out."""
    offset_spread: Mapped[float | None]
    """Standard deviation of the members' offsets, eV; null where it can't be told."""
    n_offsets: Mapped[int] = mapped_column(default=0, server_default="0")
    """Distinct sound candidates that the offsets are from."""
    n_candidates: Mapped[int]
    n_passing: Mapped[int]
    """The filter."""
    low_confidence: Mapped[bool]
    """Nothing passed, and the one chosen is the lowest all the same."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]

    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        Index("ix_selections_asked", "user_id", postgresql_where=text("number > 0")),
    )

    def read_rules(self) -> Choosing:
        """How was chosen; the document is read anew by every call."""
        return Choosing.model_validate(self.rules)


def _selection() -> Mapped[int]:
    return mapped_column(ForeignKey("selections.id", ondelete="CASCADE"), primary_key=True)


class Score(Base):
    """What the ensemble says of one candidate, and the verdict."""

    __tablename__ = "scores"

    selection_id: Mapped[int] = _selection()
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"), primary_key=True)
    mean: Mapped[float | None]
    """Over n members, weighted where weights were asked for, eV."""
    std: Mapped[float | None]
    """Sample standard deviation over n members (ddof 1), eV; null for fewer than two."""
    range: Mapped[float | None]
    """max - min over n members, eV; null for fewer than two."""
    relative: Mapped[float | None]
    """Relative spread, of what is left without the members' offsets, eV (services.scoring.offsets); null where it can't be told."""
    n: Mapped[int]
    """Members that have an energy of it."""
    passes: Mapped[bool]
    """The filter."""
    reason: Mapped[str]
    """Why it doesn't pass the filter; empty where it does."""
    same_as: Mapped[int | None] = mapped_column(BigInteger)
    """The candidate that stands for this one's minimum, if it isn't this one: of the same job, and gone with it."""
    verdict: Mapped[str]
    """Why it was chosen, or why not."""

    __table_args__ = (Index("ix_scores_candidate", "candidate_id"),)


class Minimum(Base):
    """A chosen candidate; rank 0 is the putative global minimum."""

    __tablename__ = "minima"

    id: Mapped[Key]
    selection_id: Mapped[int] = mapped_column(ForeignKey("selections.id", ondelete="CASCADE"))
    job_id: Mapped[UUID] = of_job()
    rank: Mapped[int]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    low_confidence: Mapped[bool]
    """As in its selection."""
    reason: Mapped[str]
    """Why it was chosen."""

    __table_args__ = (
        UniqueConstraint("selection_id", "rank"),
        UniqueConstraint("selection_id", "candidate_id"),
        Index("ix_minima_job", "job_id"),
        Index("ix_minima_candidate", "candidate_id"),
    )
