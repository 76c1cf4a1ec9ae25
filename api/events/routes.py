"""GET /v1/events: what changes of the jobs that a page shows, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.dependencies import Caller
from api.events.broadcast import Broadcast
from api.problems import responses

router = APIRouter(tags=["page"])

_AGAIN_MS = 1000


@router.get("/v1/events", response_class=EventSourceResponse, responses=responses(401, 403, 422))
async def events(
    request: Request,
    caller: Caller,
    job: Annotated[list[UUID], Query(max_length=200, description="those to hear of")] = [],  # noqa: B006
) -> AsyncIterator[ServerSentEvent]:
    """Events `job`, a job as `GET /v1/jobs/{job_id}` has it, and `newest`, when your newest job was made (an administrator's:
    anybody's). What there is comes first, then what changes, within a second or so. The stream ends after half a minute, and when the
    server stops: ask again."""
    yield ServerSentEvent(retry=_AGAIN_MS, comment="hello")
    broadcast: Broadcast = request.app.state.broadcast
    async for name, document in broadcast.listen(caller, job):
        yield ServerSentEvent(event=name.partition(" ")[0], raw_data=document)
