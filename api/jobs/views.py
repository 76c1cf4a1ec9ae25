"""Stored jobs as they are shown, by a fixed number of queries for any number of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.jobs import repository as jobs
from api.jobs.progress import progress
from api.jobs.responses import JobView, job_view
from api.jobs.waiting_reason import waiting_for
from shared.database.tables import Job


def views(session: Session, found: Sequence[Job]) -> list[JobView]:
    """What is known of each, in the order given."""
    done, waiting = progress(session, found), waiting_for(session, found)
    users, groups = jobs.owners(session, found), jobs.group_names(session, found)
    return [
        job_view(
            job,
            user=users[job.user_id],
            group=None if job.group_id is None else groups[job.group_id],
            progress=done[job.id],
            waiting_for=waiting[job.id],
        )
        for job in found
    ]
