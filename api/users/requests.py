"""What may be posted about users and keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.database.repositories.users import Role
from shared.errors import InvalidInput
from shared.plain_text import OneLine
from shared.user_names import user_name


def _checked(name: str) -> str:
    try:
        return user_name(name)
    except InvalidInput as refusal:
        raise ValueError(str(refusal)) from refusal


PersonName = Annotated[str, Field(max_length=200), AfterValidator(_checked)]
Label = Annotated[OneLine, Field(max_length=100)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Large = Annotated[int, Field(ge=0, lt=2**63)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyRequest(_Request):
    """A new key."""

    role: Role = Role.SUBMIT
    label: Label = Field(default="", description="what it is for")
    expires_at: AwareDatetime | None = Field(default=None, description="null: it works until it is revoked")


class LimitsRequest(_Request):
    """A user's own limits; null: the server's."""

    max_open_jobs: Count | None = None
    max_open_force_calls: Large | None = Field(
        default=None, description="of all open jobs together, as estimated when they are submitted"
    )
    max_bytes: Large | None = Field(default=None, description="of what is stored for all jobs together")
    max_requests_per_minute: Annotated[int, Field(ge=1, lt=2**31)] | None = None


class UserRequest(_Request):
    """A new user, and their first key."""

    name: PersonName
    key: KeyRequest = KeyRequest()
    limits: LimitsRequest = LimitsRequest()


class UserChange(_Request):
    """What isn't there stays as it is."""

    disabled: bool = Field(
        default=False, description="true: their keys stop working, and their open jobs are cancelled"
    )
    limits: LimitsRequest = Field(default=LimitsRequest(), description="those that are there change")


class KeyChange(_Request):
    """What isn't there stays as it is."""

    label: Label = ""
    expires_at: AwareDatetime | None = Field(default=None, description="null: it works until it is revoked")


class RotationRequest(_Request):
    """A new key in place of another."""

    grace_s: Annotated[int, Field(ge=0, le=30 * 86400)] = Field(
        default=0, description="how long the old key still works, seconds"
    )
