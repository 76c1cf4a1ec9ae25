"""Selections as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from api.results.responses import Minima
from api.view import View
from shared.database.tables import Selection


class SelectionView(View):
    """How candidates were chosen, and how that went."""

    job: UUID
    number: int
    rules: dict[str, Any]
    limit: float | None = Field(
        description="of the spread, eV; null where a calibrated one couldn't be had, and none was used"
    )
    calibration: int | None = Field(description="where the limit comes from, if it does")
    reference: str
    n_candidates: int
    n_passing: int
    low_confidence: bool
    created_at: datetime


class SelectionList(View):
    """All selections of a job; number 0 is its own."""

    selections: list[SelectionView]


class SelectionAnswer(SelectionView):
    """A selection with its minima."""

    minima: Minima


def selection_view(row: Selection) -> SelectionView:
    """A stored selection."""
    return SelectionView(
        job=row.job_id,
        number=row.number,
        rules=row.rules,
        limit=row.limit,
        calibration=row.calibration_id,
        reference=row.reference,
        n_candidates=row.n_candidates,
        n_passing=row.n_passing,
        low_confidence=row.low_confidence,
        created_at=row.created_at,
    )
