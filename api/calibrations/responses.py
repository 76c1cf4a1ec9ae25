"""Calibrations as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy.orm import Session

from api.view import View
from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import Standing
from shared.database.repositories.users import Identity
from shared.database.tables import Calibration
from shared.parameters import Spread


class LearnedFrom(View):
    """The reference energies behind a limit, as they were when it was learned."""

    candidates: int
    systems: int
    codes: dict[str, int] = Field(description="reference energies by code")
    users: dict[str, int] | None = Field(description="by who fed them back; its author and administrators see it")
    deleted_since: int = Field(description="how many of them are gone; the limit and its figures are still theirs")


class CalibrationView(View):
    """A limit that was learned, by whom, and what became of it."""

    number: int
    state: Standing = Field(
        description="`proposed`: its author's own. `published`: in force, what jobs and selections get that ask for "
        "`limit: calibrated`; one of its members, functional, spread and scale at a time. `withdrawn`: it was"
    )
    members: list[str]
    functional: str
    spread: Spread
    scale: str = Field(description="of the members' energies; it holds for jobs on the same one")
    limit: float | None = Field(description="of the spread, eV; null where no limit keeps the promise")
    learned_from: LearnedFrom
    report: dict[str, Any] = Field(
        description="its interval, the share kept, correlations, error against spread, and the check on held-out systems"
    )
    author: str | None
    created_at: datetime
    publisher: str | None
    published_at: datetime | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    successor: int | None = Field(description="the calibration that took its place, if it was withdrawn by that")


class CalibrationList(View):
    """The newest first; those of others that were never published are left out."""

    calibrations: list[CalibrationView]


def views(session: Session, rows: Sequence[Calibration], caller: Identity) -> list[CalibrationView]:
    """Stored calibrations, as this user sees them."""
    names, left = calibrations.people(session, rows), calibrations.labels_left(session, rows)
    return [
        CalibrationView(
            number=row.id,
            state=calibrations.standing(row),
            members=row.members,
            functional=row.functional,
            spread=Spread(row.spread),
            scale=row.scale,
            limit=row.limit,
            learned_from=LearnedFrom(
                candidates=row.report.get("count", len(row.label_ids)),
                systems=row.report.get("systems", 0),
                codes=row.sources.get("codes", {}),
                users=row.sources.get("users", {}) if caller.sees_all or caller.user_id == row.user_id else None,
                deleted_since=len(row.label_ids) - left[row.id],
            ),
            report=row.report,
            author=names.get(row.user_id),
            created_at=row.created_at,
            publisher=names.get(row.publisher_id),
            published_at=row.published_at,
            withdrawn_by=names.get(row.withdrawer_id),
            withdrawn_at=row.withdrawn_at,
            successor=row.successor_id,
        )
        for row in rows
    ]
