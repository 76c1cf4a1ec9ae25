"""GET /metrics: Prometheus' text format, from the database."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from api.dependencies import Caller, UseContext
from api.metrics.kept import KeptMetrics
from api.metrics.queries import Metric
from api.problems import responses

router = APIRouter(tags=["health"])

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(401)},
)
def metrics(caller: Caller, context: UseContext) -> PlainTextResponse:
    """Queues, leases, attempts, hops, force calls and workers, of all users together. Where there are many rows, all but the workers
    are as they were when last asked for."""
    return PlainTextResponse(exposition(context.own(KeptMetrics).metrics(context.readings)), media_type=MEDIA_TYPE)


def exposition(found: Iterable[Metric]) -> str:
    """The text format 0.0.4; each name's help and type before its first sample."""
    lines: list[str] = []
    named = ""
    for one in found:
        if one.name != named:
            named = one.name
            lines += [f"# HELP {named} {one.help}", f"# TYPE {named} {'counter' if one.total else 'gauge'}"]
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in one.labels.items())
        lines.append(f"{named}{{{labels}}} {one.value:g}" if labels else f"{named} {one.value:g}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
