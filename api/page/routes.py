"""POST and DELETE of /v1/session: signing in to the page, and out. POST of /v1/me/sign-in-link."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.dependencies import Caller, UseActor, UseContext, UseSession
from api.door.credentials import COOKIE, cookie_of, key_of
from api.problems import responses
from api.view import View
from shared.database.repositories import page_tokens
from shared.database.repositories.audit import record
from shared.errors import Forbidden, Unauthorised

router = APIRouter(tags=["page"])


class SessionView(View):
    """Who signed in."""

    user: str
    expires_in_s: float = Field(description="s; the session ends sooner where its key does")


class LinkView(View):
    """A link that signs its user in, once."""

    path: str = Field(description="to be added to the server's address")
    expires_in_s: float = Field(description="s")


@router.post("/v1/session", status_code=201, responses=responses(401))
def sign_in(
    request: Request, response: Response, caller: Caller, actor: UseActor, context: UseContext, session: UseSession
) -> SessionView:
    """Open a session for a browser: send an API key, or the token of a sign-in link, as for any other request. The answer sets a
    cookie, which counts as the key does from then on."""
    shown = key_of(request.scope)
    if shown is None:
        raise Unauthorised("a session is opened with an API key or a sign-in link, not with another session")
    if shown.startswith(page_tokens.LINK_MARK) and not page_tokens.end(session, shown):
        raise Unauthorised(page_tokens.USED)
    lasts = timedelta(hours=context.settings.session_hours)
    token = page_tokens.open_session(session, caller.key_id, lasts)
    record(session, actor, "session.open", owner_id=caller.user_id, subject=caller.user)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(lasts.total_seconds()),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionView(user=caller.user, expires_in_s=lasts.total_seconds())


@router.delete("/v1/session", status_code=204, responses=responses(401, 403))
def sign_out(request: Request, response: Response, caller: Caller, actor: UseActor, session: UseSession) -> None:
    """End the session that this request came with."""
    token = cookie_of(request.scope)
    if token is not None and page_tokens.end(session, token):
        record(session, actor, "session.end", owner_id=caller.user_id, subject=caller.user)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


@router.post("/v1/me/sign-in-link", status_code=201, responses=responses(401, 403))
def make_link(caller: Caller, actor: UseActor, session: UseSession, request: Request) -> LinkView:
    """A link that opens the page signed in as you: it works once, within 15 minutes. Its token stands behind the `#`, which browsers
    send to no server and no log has."""
    if cookie_of(request.scope) is not None and key_of(request.scope) is None:
        raise Forbidden("a sign-in link is made with an API key")
    token = page_tokens.make_link(session, caller.key_id)
    record(session, actor, "session.link", owner_id=caller.user_id, subject=caller.user)
    return LinkView(path=f"/#/sign-in/{token}", expires_in_s=page_tokens.LINK_LASTS.total_seconds())
