"""What routes ask for: the context, a session, who is calling.

What waits for nothing is `async`, though it awaits nothing: FastAPI hands everything else to a thread, and each hand-over costs more
than the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from api.context import Context
from shared.database.repositories.audit import Actor
from shared.database.repositories.users import Identity, Role
from shared.errors import Forbidden, Unauthorised
from shared.logs import request_id


async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


UseContext = Annotated[Context, Depends(_context)]


def _session(context: UseContext) -> Iterator[Session]:
    with context.sessions.begin() as session:
        yield session


UseSession = Annotated[Session, Depends(_session, scope="function")]
"""One transaction, committed before the answer is sent (that is what the scope is for)."""


def _snapshot(context: UseContext) -> Iterator[Session]:
    with context.sessions.begin() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


UseSnapshot = Annotated[Session, Depends(_snapshot, scope="function")]
"""For answers read by several statements: all of them see the database as it was at the first, and so nothing half removed."""

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer adhop_…`")


async def _identity(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Found out at the door (api.door), before the body was read. The header stands here for the OpenAPI document."""
    caller: Identity | None = getattr(request.state, "caller", None)
    if caller is None:
        raise Unauthorised("no key was looked at for this route")
    return caller


Caller = Annotated[Identity, Depends(_identity)]


async def _submitter(caller: Caller) -> Identity:
    if not caller.may_submit:
        raise Forbidden("this key may only read")
    return caller


Submitter = Annotated[Identity, Depends(_submitter)]
"""A caller who may submit and cancel jobs."""


async def _administrator(caller: Caller) -> Identity:
    if caller.role is not Role.ADMIN:
        raise Forbidden("this is for administrators: it needs a key with the role admin")
    return caller


Administrator = Annotated[Identity, Depends(_administrator)]


async def _actor(caller: Caller, request: Request) -> Actor:
    address = request.client.host if request.client else ""
    return Actor(caller.user_id, caller.user, caller.key_prefix, address, request_id.get() or "")


UseActor = Annotated[Actor, Depends(_actor)]
"""The caller as the audit trail remembers them. The address is the connection's, or what a trusted proxy says (uvicorn)."""
