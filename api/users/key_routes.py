"""Keys of any user, for administrators: /v1/users/{user_id}/keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.dependencies import Administrator, UseActor, UseSession
from api.problems import BODY, responses
from api.users import keys
from api.users import repository as users
from api.users.requests import KeyChange, KeyRequest, RotationRequest
from api.users.responses import KeyList, KeyView, NewKeyView, key_view, new_key_view
from api.users.routes import UserId

router = APIRouter(prefix="/v1/users/{user_id}/keys", tags=["users"])

Prefix = Annotated[str, Path(pattern=r"^[0-9a-f]{1,64}$", description="the part of the key between its underscores")]


@router.get("", responses=responses(401, 403, 404, 422))
def list_keys(user_id: UserId, caller: Administrator, session: UseSession) -> KeyList:
    """A user's keys, ended ones included."""
    user = users.get(session, user_id)
    return KeyList(keys=[key_view(row) for row in keys.of_user(session, user.id)])


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 404, 409, 422))
def create_key(
    user_id: UserId, request: KeyRequest, caller: Administrator, actor: UseActor, session: UseSession
) -> NewKeyView:
    """One more key for a user, shown this once."""
    user = users.get(session, user_id, locked=True)
    key, row = keys.create(session, actor, user, request.role, label=request.label, expires_at=request.expires_at)
    return new_key_view(row, key)


@router.patch("/{prefix}", responses=responses(*BODY, 401, 403, 404, 409, 422))
def change_key(
    user_id: UserId, prefix: Prefix, change: KeyChange, caller: Administrator, actor: UseActor, session: UseSession
) -> KeyView:
    """Give a key another label, or let it expire."""
    row = keys.find(session, user_id, prefix)
    label = change.label if "label" in change.model_fields_set else None
    expiry = (change.expires_at,) if "expires_at" in change.model_fields_set else None
    keys.change(session, actor, row, label=label, expiry=expiry)
    return key_view(row)


@router.post("/{prefix}/rotate", status_code=201, responses=responses(*BODY, 401, 403, 404, 409, 422))
def rotate_key(
    user_id: UserId,
    prefix: Prefix,
    caller: Administrator,
    actor: UseActor,
    session: UseSession,
    request: RotationRequest = RotationRequest(),
) -> NewKeyView:
    """A new key of the same role, label and end, shown this once; the old one stops working, at once or after a grace."""
    key, row = keys.rotate(session, actor, keys.find(session, user_id, prefix), grace_s=request.grace_s)
    return new_key_view(row, key)


@router.delete("/{prefix}", responses=responses(401, 403, 404, 409, 422))
def revoke_key(user_id: UserId, prefix: Prefix, caller: Administrator, actor: UseActor, session: UseSession) -> KeyView:
    """End a key, for good."""
    row = keys.find(session, user_id, prefix)
    keys.revoke(session, actor, row)
    return key_view(row)
