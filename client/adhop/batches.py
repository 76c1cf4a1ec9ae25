"""Many jobs in as few requests as a server takes them in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from adhop import submission
from adhop.connection import Connection, encoded
from adhop.errors import AdhopError, RequestRefused
from adhop.job import Job

_MOST_JOBS = 500
_MOST_BYTES = 1_000_000
_MOST_VALUES = 40_000
"""Of one request, told by its commas; servers count them."""
_TOO_LARGE = 413


def submit_many(connection: Connection, asked: Iterable[Mapping[str, Any]]) -> list[Job | AdhopError]:
    """A job for each of these arguments of `Client.submit`, or why there is none, in their order."""
    found: list[Job | AdhopError | None] = []
    entries: dict[int, dict[str, Any]] = {}
    for number, arguments in enumerate(asked):
        try:
            entry = {"job": submission.body(**arguments), "idempotency_key": str(uuid.uuid4())}
            encoded(entry)
        except AdhopError as error:
            found.append(error)
        else:
            entries[number] = entry
            found.append(None)
    for numbers in _requests(entries):
        answers = _ask(connection, [entries[number] for number in numbers])
        for number, answer in zip(numbers, answers, strict=True):
            found[number] = _outcome(connection, answer)
    return [one for one in found if one is not None]


def _requests(entries: Mapping[int, Any]) -> Iterator[list[int]]:
    """Which of them go together."""
    together: list[int] = []
    size = values = 0
    for number, entry in entries.items():
        body = encoded(entry)
        own = body.count(b",") + 1
        full = len(together) >= _MOST_JOBS or size + len(body) > _MOST_BYTES or values + own > _MOST_VALUES
        if together and full:
            yield together
            together, size, values = [], 0, 0
        together.append(number)
        size, values = size + len(body), values + own
    if together:
        yield together


def _ask(connection: Connection, entries: Sequence[Any]) -> list[Any]:
    """What the server says of each; where so many are too large for it, in two halves."""
    try:
        return list(connection.request("POST", "/v1/jobs:batch", json={"jobs": list(entries)})["jobs"])
    except RequestRefused as refusal:
        if refusal.status != _TOO_LARGE:
            raise
        if len(entries) == 1:
            problem = {"status": refusal.status, "detail": str(refusal), "field": refusal.field}
            return [{"id": None, "refused": problem}]
    half = len(entries) // 2
    return _ask(connection, entries[:half]) + _ask(connection, entries[half:])


def _outcome(connection: Connection, answer: Mapping[str, Any]) -> Job | AdhopError:
    refused = answer.get("refused")
    if refused is None:
        return Job(connection, {key: value for key, value in answer.items() if key not in ("created", "refused")})
    return RequestRefused(refused["status"], refused["detail"], refused.get("field"))
