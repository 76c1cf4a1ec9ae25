"""Stored jobs as they are shown, by one query for any number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from api.jobs.progress import progress_of
from api.jobs.responses import JobView, job_view
from api.jobs.shown import shown
from api.jobs.waiting_reason import waiting_for
from shared.database.tables import Job


def views(session: Session, found: Sequence[Job]) -> list[JobView]:
    """What is known of each, in the order given."""
    session.flush()
    return [view_of(row) for row in shown(session, [job.id for job in found])]


def view_of(row: Row[Any]) -> JobView:
    """Of a job as `shown` has it."""
    return job_view(row, progress=progress_of(row), waiting_for=waiting_for(row))
