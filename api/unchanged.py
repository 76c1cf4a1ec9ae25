"""Answers that are asked for again and again: a client that names the one it has is told that nothing changed."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import Header, Response

IfNoneMatch = Annotated[
    str | None,
    Header(
        max_length=200,
        description="`ETag` of the answer that you have; where it is the same now, the answer is 304",
    ),
]

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The answer is still the one that you have"}}
"""The OpenAPI entry."""


def answer(body: bytes, if_none_match: str | None) -> Response:
    """A JSON document with its ETag; or that it is the one that the caller has."""
    tag = f'"{hashlib.blake2b(body, digest_size=15).hexdigest()}"'
    if if_none_match is not None and tag in (part.strip().removeprefix("W/") for part in if_none_match.split(",")):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})
