"""Users and keys as they are shown."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.jobs.limits import Limits, Use
from api.view import View
from shared.database.repositories.users import Role
from shared.database.tables import ApiKey, User


class LimitsView(View):
    """How much is allowed; null: without a limit."""

    open_jobs: int
    open_force_calls: int | None
    stored_bytes: int | None
    requests_per_minute: int
    own: list[str] = Field(description="which of them are this user's own; the others are the server's")


class UseView(View):
    """How much is taken up now."""

    open_jobs: int
    open_force_calls: int = Field(description="of the open jobs, as estimated when they were submitted")
    stored_bytes: int = Field(description="as last measured; of jobs that were not measured yet, as estimated")


class UserView(View):
    """A user."""

    id: int
    name: str
    created_at: datetime
    disabled_at: datetime | None = Field(description="null: their keys work")
    last_used_at: datetime | None = Field(description="when one of their keys last was, to the minute")
    roles: list[Role] = Field(description="of the keys that work")
    groups: list[str]
    limits: LimitsView
    use: UseView


class UserPage(View):
    """A page of users."""

    users: list[UserView] = Field(description="in the order they were created")
    next: str | None = Field(description="the cursor of the next page")


class KeyView(View):
    """A key, without its secret."""

    prefix: str = Field(description="the part between its underscores, which names it")
    role: Role
    label: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="to the minute")
    revoked_at: datetime | None


class KeyList(View):
    """A user's keys."""

    keys: list[KeyView] = Field(description="the newest first")


class NewKeyView(KeyView):
    """A key that was just made."""

    key: str = Field(description="the key itself: it is not shown again")


class NewUserView(UserView):
    """A user who was just created."""

    key: NewKeyView


class ChangedUserView(UserView):
    """A user after a change."""

    cancelled_jobs: int = Field(description="that were open when the user was disabled")


def limits_view(user: User, limits: Limits) -> LimitsView:
    own = {
        "open_jobs": user.max_open_jobs,
        "open_force_calls": user.max_open_force_calls,
        "stored_bytes": user.max_bytes,
        "requests_per_minute": user.max_requests_per_minute,
    }
    return LimitsView(**vars(limits), own=[name for name, value in own.items() if value is not None])


def use_view(use: Use) -> UseView:
    return UseView(**vars(use))


def key_view(row: ApiKey) -> KeyView:
    return KeyView(
        prefix=row.prefix,
        role=Role(row.role),
        label=row.label,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def new_key_view(row: ApiKey, key: str) -> NewKeyView:
    return NewKeyView(**key_view(row).model_dump(), key=key)
