"""GET, POST and PATCH of /v1/users, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from api.context import Context
from api.dependencies import Administrator, UseActor, UseContext, UseSession
from api.jobs.limits import limits_of
from api.paging import Cursor, Limit, id_cursor, id_position
from api.problems import BODY, responses
from api.users import keys
from api.users import repository as users
from api.users.requests import UserChange, UserRequest
from api.users.responses import (
    ChangedUserView,
    NewUserView,
    UserPage,
    UserView,
    limits_view,
    new_key_view,
    use_view,
)
from shared.database.tables import User
from shared.database.workflow.cancelling import cancel_jobs_of_disabled

router = APIRouter(prefix="/v1/users", tags=["users"])

UserId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("", responses=responses(401, 403, 422))
def list_users(
    caller: Administrator,
    context: UseContext,
    session: UseSession,
    name: Annotated[str | None, Query(max_length=200, description="only the user of this name")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> UserPage:
    """Users with their limits, what they take up, and when they were last here."""
    found, last = users.page(session, name=name, limit=limit, after=id_position(cursor))
    return UserPage(users=[user_view(one, context) for one in found], next=id_cursor(last))


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 409, 422))
def create_user(
    request: UserRequest, caller: Administrator, actor: UseActor, context: UseContext, session: UseSession
) -> NewUserView:
    """A new user with a first key, which is shown this once."""
    user = users.create(session, actor, request.name, request.limits.model_dump(exclude_unset=True))
    key, row = keys.create(
        session, actor, user, request.key.role, label=request.key.label, expires_at=request.key.expires_at
    )
    shown = _one(session, user, context)
    return NewUserView(**shown.model_dump(), key=new_key_view(row, key))


@router.get("/{user_id}", responses=responses(401, 403, 404, 422))
def get_user(user_id: UserId, caller: Administrator, context: UseContext, session: UseSession) -> UserView:
    """A user with their limits and what they take up."""
    return _one(session, users.get(session, user_id), context)


@router.patch("/{user_id}", responses=responses(*BODY, 401, 403, 404, 409, 422))
def change_user(
    user_id: UserId, change: UserChange, caller: Administrator, actor: UseActor, context: UseContext
) -> ChangedUserView:
    """Set limits, disable a user (their keys stop working, their open jobs are cancelled, what they found stays), or let them in
    again."""
    with context.sessions.begin() as session:
        user = users.get(session, user_id, locked=True)
        limits = change.limits.model_dump(exclude_unset=True)
        if limits:
            users.limit(session, actor, user, limits)
        if "disabled" in change.model_fields_set:
            (users.disable if change.disabled else users.enable)(session, actor, user)
    cancelled = cancel_jobs_of_disabled(context.sessions, actor) if change.disabled else 0
    with context.sessions.begin() as session:
        shown = _one(session, users.get(session, user_id), context)
    return ChangedUserView(**shown.model_dump(), cancelled_jobs=cancelled)


def user_view(account: users.Account, context: Context) -> UserView:
    """A user as they are shown."""
    user = account.user
    return UserView(
        id=user.id,
        name=user.name,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
        last_used_at=account.last_used_at,
        roles=account.roles,
        groups=account.groups,
        limits=limits_view(user, limits_of(user, context.settings)),
        use=use_view(account.use),
    )


def _one(session: Session, user: User, context: Context) -> UserView:
    return user_view(users.accounts(session, [user])[0], context)
