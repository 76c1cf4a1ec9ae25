"""Getting a published checkpoint: shows how far it is, goes on where it was cut off, and never takes half a file for a whole one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import httpx

from shared.errors import Unavailable

Tell = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes in all, where the server says how many."""

_TRIES = 5
_TIMEOUT_S = 30.0


class Offline(Unavailable):
    """The server can't be reached at all."""


def download(address: str, target: Path, tell: Tell, *, pause_s: float = 1.0) -> None:
    """The file at `address`, whole, as `target`. What came before a cut stays in `target`.part, and the next call goes on there.

    Raises Offline where the server can't be reached, and Unavailable where it refuses or keeps cutting the connection.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True) as client:
        for attempt in range(_TRIES):
            try:
                _fetch(client, address, part, tell)
                break
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout) as error:
                if attempt == _TRIES - 1:
                    raise Unavailable(
                        f"the connection was cut {_TRIES} times ({error}); {_size(part)} bytes are here, "
                        "and the same command goes on there"
                    ) from error
                time.sleep(pause_s * 2**attempt)
            except httpx.TransportError as error:
                raise Offline(f"{address} can't be reached ({error})") from error
    part.replace(target)
    _tag(part).unlink(missing_ok=True)


def _fetch(client: httpx.Client, address: str, part: Path, tell: Tell) -> None:
    """One request for what is missing. A part of an older version of the file is thrown away: the server is asked with the tag
    that came with it, and sends the whole file where that has changed."""
    tag = _tag(part)
    headers = {"Accept-Encoding": "identity"}
    if _size(part) and tag.exists():
        headers |= {"Range": f"bytes={_size(part)}-", "If-Range": tag.read_text()}
    with client.stream("GET", address, headers=headers) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            if answer.headers.get("Content-Range") == f"bytes */{_size(part)}":
                return  # all of it was here already
            part.unlink()
            raise httpx.ReadError("the part that is here doesn't fit the file")
        if answer.is_error:
            raise Unavailable(f"{address} answered {answer.status_code} {answer.reason_phrase}")
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        here = _size(part) if resumed else 0
        total = _total(answer, here)
        tag.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if not tag.read_text():
            tag.unlink()  # without one a part can't be told from that of another version
        with part.open("ab" if resumed else "wb") as file:
            tell(here, total)
            for chunk in answer.iter_raw():  # as they come: pieces held back would be lost with a cut
                file.write(chunk)
                here += len(chunk)
                tell(here, total)
    if total is not None and here != total:
        raise httpx.ReadError(f"{here} of {total} bytes came")


def _total(answer: httpx.Response, here: int) -> int | None:
    length = answer.headers.get("Content-Length")
    return here + int(length) if length is not None else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _tag(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")
