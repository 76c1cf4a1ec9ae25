"""Getting a published checkpoint: over TLS, from the hosts that its entry names, whole, and only if it is a checkpoint.

It shows how far it is, goes on where it was cut off, and never takes half a file, a web page or another file for the one that was
asked for. What was refused is not kept: a checkpoint is code to most of those who load it.
"""

from __future__ import annotations

import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared import private_files
from shared.errors import Unavailable
from worker.potentials import identity

Tell = Callable[[int, int | None], None]
"""Called with the bytes that are here and the bytes in all."""

_TRIES = 5
_MOST_REDIRECTS = 5
_TIMEOUT_S = 30.0
_LONGEST_S = 12 * 3600.0
_PATIENCE_S, _LEAST_BYTES = 60.0, 60_000
"""A server that sends less in this time keeps the connection without getting anywhere."""
_MOST_BYTES = 20 * 10**9
_ARCHIVE, _PICKLE = b"PK\x03\x04", b"\x80"
"""How torch's files begin, today's and those of before 2020."""
_WEB_PAGE = (b"<", b"\xef\xbb\xbf<")


class Offline(Unavailable):
    """The server can't be reached at all."""


class Refused(Unavailable):
    """What the server sent, or where it sent us, is not what was asked for."""


@dataclass(frozen=True)
class Source:
    """Where a checkpoint comes from."""

    address: str
    """https://..."""
    hosts: tuple[str, ...] = ()
    """Other hosts that it may be redirected to."""
    sha256: str = ""
    """Its checksum, where that is known."""


def download(source: Source, target: Path, tell: Tell, *, pause_s: float = 1.0) -> None:
    """The file, whole, as `target`. What came before a cut stays in `target`.part, and the next call goes on there.

    Raises Offline where the server can't be reached, Refused for what isn't the file, and Unavailable where the server answers with
    an error or keeps cutting the connection.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    until = time.monotonic() + _LONGEST_S
    try:
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False) as client:
            for attempt in range(_TRIES):
                try:
                    _fetch(client, source, part, tell, until)
                    break
                except (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout) as error:
                    if attempt == _TRIES - 1:
                        raise Unavailable(
                            f"the connection was cut {_TRIES} times ({error}); {_size(part)} bytes are here, "
                            "and the same command goes on there"
                        ) from error
                    time.sleep(pause_s * 2**attempt)
                except httpx.TransportError as error:
                    raise Offline(f"{source.address} can't be reached ({error})") from error
        check(part, source.address, source.sha256)
    except Refused:
        _forget(part)
        raise
    part.chmod(0o644)  # a container's account must read it
    part.replace(target)
    _tag(part).unlink(missing_ok=True)


def check(file: Path, whence: str, sha256: str = "") -> str:
    """The checksum of a file that is a whole checkpoint, and the one expected. Raises Refused."""
    with file.open("rb") as opened:
        _check_beginning(opened.read(8), whence)
    with file.open("rb") as opened:
        if opened.read(4) == _ARCHIVE and not zipfile.is_zipfile(file):
            raise Refused(f"{whence}: the archive has no end: the file is cut or damaged")
    found = identity.sha256(file)
    if sha256 and found != sha256:
        raise Refused(f"{whence}: SHA-256 is {found}, not the expected {sha256}")
    return found


def _fetch(client: httpx.Client, source: Source, part: Path, tell: Tell, until: float) -> None:
    """One request for what is missing. A part of an older version of the file is thrown away: the server is asked with the tag
    that came with it, and sends the whole file where that has changed."""
    tag = _tag(part)
    headers = {"Accept-Encoding": "identity"}
    if _size(part) and tag.exists():
        headers |= {"Range": f"bytes={_size(part)}-", "If-Range": private_files.read(tag).split("\n")[-1]}
    address = httpx.URL(source.address)
    for _ in range(_MOST_REDIRECTS + 1):
        _check_way(address, source)
        with client.stream("GET", address, headers=headers) as answer:
            if not answer.has_redirect_location:
                return _take(answer, part, tell, until)
            address = answer.url.join(answer.headers["Location"])
    raise Refused(f"{source.address} redirects more than {_MOST_REDIRECTS} times")


def _check_way(address: httpx.URL, source: Source) -> None:
    if address.scheme != "https":
        raise Refused(f"{address} is not HTTPS: whoever stands between could send another file")
    allowed = (httpx.URL(source.address).host, *source.hosts)
    if address.host not in allowed:
        raise Refused(
            f"{source.address} leads to the host {address.host}, and its entry allows {', '.join(allowed)}: if that host is right, "
            "write it into the entry's `hosts`"
        )


def _take(answer: httpx.Response, part: Path, tell: Tell, until: float) -> None:
    """What an answer holds, added to what is here."""
    if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
        whole = private_files.read(_tag(part)).split("\n")[0]
        if answer.headers.get("Content-Range") == f"bytes */{whole}" and whole == str(_size(part)):
            return  # all of it was here already
        part.unlink()
        raise httpx.ReadError("the part that is here doesn't fit the file")
    if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise Unavailable(f"{answer.url} answered {answer.status_code} {answer.reason_phrase}")
    here = _size(part) if answer.status_code == httpx.codes.PARTIAL_CONTENT else 0
    total = _total(answer, here, part)
    if tag := answer.headers.get("ETag") or answer.headers.get("Last-Modified"):
        private_files.write(_tag(part), f"{total}\n{tag}")
    else:  # without one a part can't be told from that of another version
        _tag(part).unlink(missing_ok=True)
    with private_files.opened(part, "ab" if here else "wb") as file:
        tell(here, total)
        began, then = time.monotonic(), here
        for chunk in answer.iter_raw():  # as they come: pieces held back would be lost with a cut
            if not here:
                _check_beginning(chunk, str(answer.url))
            file.write(chunk)
            here += len(chunk)
            tell(here, total)
            if here > total:
                raise Refused(f"{answer.url} sends more than the {total} bytes that it spoke of")
            now = time.monotonic()
            if now > until:
                raise Unavailable(f"{answer.url}: not here after {_LONGEST_S / 3600:.0f} h; the same command goes on")
            if now - began > _PATIENCE_S:
                if here - then < _LEAST_BYTES:
                    raise httpx.ReadTimeout(f"{here - then} bytes in {_PATIENCE_S:.0f} s")
                began, then = now, here
    if here != total:
        raise httpx.ReadError(f"{here} of {total} bytes came")


def _total(answer: httpx.Response, here: int, part: Path) -> int:
    """How long the whole file is. Raises Refused for an answer that can't be the file."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise Refused(f"{answer.url} is a web page ({kind}), and no checkpoint")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(f"{answer.url} comes packed ({answer.headers['Content-Encoding']}), which was not asked for")
    length = answer.headers.get("Content-Length", "")
    if not length.isdecimal():
        raise Refused(f"{answer.url} doesn't say how long the file is: half of it can't be told from all")
    total = here + int(length)
    if here and answer.headers.get("Content-Range") != f"bytes {here}-{total - 1}/{total}":
        part.unlink()
        raise httpx.ReadError("the server sent another part than was asked for")
    if total > _MOST_BYTES:
        raise Refused(f"{answer.url} is {total / 1e9:.1f} GB long; {_MOST_BYTES / 1e9:.0f} GB are taken at most")
    if (free := shutil.disk_usage(part.parent).free) < total - here:
        raise Unavailable(
            f"{part.parent} has {free / 1e9:.1f} GB free, and {(total - here) / 1e9:.1f} GB are to come: make room"
        )
    return total


def _check_beginning(head: bytes, whence: str) -> None:
    if head.lstrip().startswith(_WEB_PAGE):
        raise Refused(f"{whence} is a web page, and no checkpoint")
    if not head.startswith((_ARCHIVE[: len(head)] or _ARCHIVE, _PICKLE)):
        raise Refused(f"{whence} is no checkpoint: it begins with {head[:8]!r}, neither a zip archive nor a pickle")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _tag(part: Path) -> Path:
    """How long the whole file is, and the server's tag of its version."""
    return part.with_name(f"{part.name}.tag")
