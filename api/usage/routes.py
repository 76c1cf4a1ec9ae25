"""GET of /v1/usage."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.dependencies import Caller, UseSession
from api.jobs.limits import use_of_each
from api.problems import responses
from api.usage import queries
from api.view import View
from shared.errors import Forbidden, InvalidInput

router = APIRouter(prefix="/v1/usage", tags=["users"])


class UsageView(View):
    """What one user used in one month."""

    user: str
    month: str = Field(description="such as 2026-03; UTC")
    device_s: float = Field(description="seconds of devices and of CPU workers that worked for this user's jobs")
    force_calls: int
    jobs: int = Field(description="whose placements were found")
    stored_bytes: int = Field(description="what is stored for all of the user's jobs now, whatever the month")


class UsageList(View):
    """By month and user."""

    usage: list[UsageView] = Field(description="the newest month first, then by name")


@router.get("", responses=responses(401, 403, 422))
def list_usage(
    caller: Caller,
    session: UseSession,
    month: Annotated[
        str | None, Query(pattern=r"^\d{4}-\d{2}$", description="such as 2026-03; all of them without")
    ] = None,
    user: Annotated[str | None, Query(max_length=200, description="of this user alone, by name")] = None,
) -> UsageList:
    """What you used; with an admin's key, what everybody used."""
    if not caller.sees_all and user not in (None, caller.user):
        raise Forbidden("what others used is shown to administrators")
    found = queries.by_month(
        session, user_id=None if caller.sees_all else caller.user_id, user=user, month=_first_day(month)
    )
    stored = use_of_each(session, list({one.user_id for one in found}))
    return UsageList(
        usage=[
            UsageView(
                user=one.user,
                month=f"{one.month:%Y-%m}",
                device_s=round(one.device_s, 3),
                force_calls=one.force_calls,
                jobs=one.jobs,
                stored_bytes=stored[one.user_id].stored_bytes if one.user_id in stored else 0,
            )
            for one in found
        ]
    )


def _first_day(month: str | None) -> date | None:
    if month is None:
        return None
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise InvalidInput(f"there is no month {month}: give one such as 2026-03", field="month") from None
