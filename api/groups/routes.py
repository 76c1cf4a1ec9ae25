"""Groups: everybody sees their own, administrators make them and say who is in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.dependencies import Administrator, Caller, UseActor, UseSession
from api.groups import repository as groups
from api.problems import BODY, responses
from api.users import repository as users
from api.users.requests import PersonName
from api.users.routes import UserId
from api.view import View
from shared.database.tables import Group

router = APIRouter(prefix="/v1/groups", tags=["users"])

GroupId = Annotated[int, Path(ge=1, lt=2**63)]


class GroupRequest(BaseModel):
    """A new group."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: PersonName


class GroupView(View):
    """A group."""

    id: int
    name: str
    created_at: datetime
    members: list[str] = Field(description="names of its users: they may read what is shared with it")


class GroupList(View):
    """Groups by name."""

    groups: list[GroupView]


@router.get("", responses=responses(401))
def list_groups(caller: Caller, session: UseSession) -> GroupList:
    """Your groups; an admin's key lists all."""
    found = groups.every(session, of_user=None if caller.sees_all else caller.user_id)
    members = groups.members(session, found)
    return GroupList(groups=[_view(one, members) for one in found])


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 409, 422))
def create_group(request: GroupRequest, caller: Administrator, actor: UseActor, session: UseSession) -> GroupView:
    """A new group, without members."""
    return _one(session, groups.create(session, actor, request.name))


@router.delete("/{group_id}", status_code=204, responses=responses(401, 403, 404, 422))
def delete_group(group_id: GroupId, caller: Administrator, actor: UseActor, session: UseSession) -> None:
    """End a group. What was shared with it is its owners' alone again."""
    groups.remove(session, actor, group_id)


@router.put("/{group_id}/members/{user_id}", responses=responses(401, 403, 404, 422))
def add_member(
    group_id: GroupId, user_id: UserId, caller: Administrator, actor: UseActor, session: UseSession
) -> GroupView:
    """Make a user a member."""
    return _one(session, groups.join(session, actor, group_id, users.get(session, user_id)))


@router.delete("/{group_id}/members/{user_id}", responses=responses(401, 403, 404, 422))
def remove_member(
    group_id: GroupId, user_id: UserId, caller: Administrator, actor: UseActor, session: UseSession
) -> GroupView:
    """End a membership. What the user shared with the group stays shared until they or you say otherwise."""
    return _one(session, groups.leave(session, actor, group_id, users.get(session, user_id)))


def _view(group: Group, members: dict[int, list[str]]) -> GroupView:
    return GroupView(id=group.id, name=group.name, created_at=group.created_at, members=members[group.id])


def _one(session: Session, group: Group) -> GroupView:
    return _view(group, groups.members(session, [group]))
