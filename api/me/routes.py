"""GET of /v1/me, and the caller's own keys."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import Caller, UseActor, UseContext, UseSession
from api.problems import BODY, responses
from api.users import keys
from api.users import repository as users
from api.users.key_routes import Prefix
from api.users.requests import RotationRequest
from api.users.responses import KeyList, KeyView, NewKeyView, UserView, key_view, new_key_view
from api.users.routes import user_view
from shared.database.repositories.users import Role

router = APIRouter(prefix="/v1/me", tags=["users"])


class MeView(UserView):
    """The caller."""

    role: Role = Field(description="of the key that was used")
    key: str = Field(description="its public part")


@router.get("", responses=responses(401))
def get_me(caller: Caller, context: UseContext, session: UseSession) -> MeView:
    """Who you are to this server: your role, your groups, what you may use and what you do."""
    shown = user_view(users.accounts(session, [users.get(session, caller.user_id)])[0], context)
    return MeView(**shown.model_dump(), role=caller.role, key=caller.key_prefix)


@router.get("/keys", responses=responses(401))
def list_own_keys(caller: Caller, session: UseSession) -> KeyList:
    """Your keys, ended ones included."""
    return KeyList(keys=[key_view(row) for row in keys.of_user(session, caller.user_id)])


@router.post("/keys/{prefix}/rotate", status_code=201, responses=responses(*BODY, 401, 403, 404, 409, 422))
def rotate_own_key(
    prefix: Prefix,
    caller: Caller,
    actor: UseActor,
    session: UseSession,
    request: RotationRequest = RotationRequest(),
) -> NewKeyView:
    """A new key in place of one of yours, shown this once; it has the same role, label and end. The old one stops working, at once or
    after a grace."""
    row = keys.find(session, caller.user_id, prefix)
    keys.check_rank(caller, row)
    key, made = keys.rotate(session, actor, row, grace_s=request.grace_s)
    return new_key_view(made, key)


@router.delete("/keys/{prefix}", responses=responses(401, 403, 404, 409, 422))
def revoke_own_key(prefix: Prefix, caller: Caller, actor: UseActor, session: UseSession) -> KeyView:
    """End one of your keys, for good."""
    row = keys.find(session, caller.user_id, prefix)
    keys.check_rank(caller, row)
    keys.revoke(session, actor, row)
    return key_view(row)
