"""What routes ask for: the context, a session, who is calling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from api.context import Context
from shared.database.repositories.audit import Actor
from shared.database.repositories.users import Identity, identify
from shared.errors import Forbidden, Unauthorised
from shared.logs import request_id


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


UseContext = Annotated[Context, Depends(_context)]


def _session(context: UseContext) -> Iterator[Session]:
    with context.sessions.begin() as session:
        yield session


UseSession = Annotated[Session, Depends(_session, scope="function")]
"""One transaction, committed before the answer is sent (that is what the scope is for)."""

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer adhop_…`")


def _identity(
    context: UseContext, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Looked up in a transaction of its own, so that no connection is held while a text is parsed."""
    if credentials is None:
        raise Unauthorised("an API key is needed: send the header `Authorization: Bearer <key>`")
    with context.sessions.begin() as session:
        return identify(session, credentials.credentials)


Caller = Annotated[Identity, Depends(_identity)]


def _submitter(caller: Caller) -> Identity:
    if not caller.may_submit:
        raise Forbidden("this key may only read")
    return caller


Submitter = Annotated[Identity, Depends(_submitter)]
"""A caller who may submit and cancel jobs."""


def _actor(caller: Caller, request: Request) -> Actor:
    address = request.client.host if request.client else ""
    return Actor(caller.user_id, caller.user, caller.key_prefix, address, request_id.get() or "")


UseActor = Annotated[Actor, Depends(_actor)]
"""The caller as the audit trail remembers them. The address is the connection's, or what a trusted proxy says (uvicorn)."""
