"""Requests to a server, tried again while it is away or busy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from json import dumps
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from adhop import key as api_key
from adhop import plain
from adhop.errors import AdhopError, RequestRefused, ServerUnreachable

if TYPE_CHECKING:
    from typing import Self  # Python 3.11

_TRIES = 5
# a body that came too slowly (408) was not acted on: a machine that was busy for a moment sends it again
_BUSY = (408, 429, 502, 503, 504)


class Connection:
    """A server and a key. url defaults to ADHOP_URL, the key to ADHOP_KEY or what the private file ADHOP_KEY_FILE holds."""

    def __init__(self, url: str | None = None, key: str | None = None, *, timeout_s: float = 30.0) -> None:
        url = url or os.environ.get("ADHOP_URL")
        key = api_key.find(key)
        if not url:
            raise AdhopError("no server: give url, or set ADHOP_URL")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        except httpx.InvalidURL as error:
            raise AdhopError(
                f"{url!r} is no address of a server ({error}): give one like https://lab-server:8000"
            ) from None
        if self._http.base_url.scheme not in ("http", "https") or not self._http.base_url.host:
            raise AdhopError(f"{url!r} is no address of a server: give one like https://lab-server:8000")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """One request, tried again while nobody answers. json: numpy's arrays and numbers, ranges and paths may stand in it.
        Raises RequestRefused, ServerUnreachable, and AdhopError for what can't be sent."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        answer = self._answer(method, path, json=json, params=params, headers=headers)
        if answer.status_code == httpx.codes.NO_CONTENT:
            return None
        kind = answer.headers.get("content-type", "")
        if "zip" in kind or kind.startswith("image/"):
            return answer.content
        return _json(answer) if "json" in kind else plain.text(answer.text)

    def newer(self, path: str, tag: str | None) -> tuple[Any, str | None]:
        """The document at a path and what names it, for the next call; None for the document where it is still the one named."""
        answer = self._answer("GET", path, headers={"If-None-Match": tag} if tag else {})
        unchanged = answer.status_code == httpx.codes.NOT_MODIFIED
        return None if unchanged else _json(answer), answer.headers.get("etag")

    def _answer(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        content = None if json is None else encoded(json)
        sent = dict(headers) | ({} if content is None else {"Content-Type": "application/json"})
        wait, trouble = 0.5, ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(wait)
                wait = min(2 * wait, 8.0)
            try:
                answer = self._http.request(method, path, content=content, params=params, headers=sent)
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
                continue
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise AdhopError(f"{self._http.base_url} can't be asked for {path!r}: {error}") from None
            if _busy(answer) and attempt < _TRIES - 1:
                trouble = _refusal(answer).args[0]
                wait = _retry_after(answer, wait)
                continue
            if answer.is_error:
                raise _refusal(answer)
            return answer
        raise ServerUnreachable(f"no answer from {self._http.base_url} after {_TRIES} tries: {trouble}")


def _json(answer: httpx.Response) -> Any:
    try:
        return plain.document(answer.json())
    except ValueError:
        raise AdhopError(f"{answer.url} answered with what is no JSON: is that an Adhop server?") from None


def encoded(body: Any) -> bytes:
    """As it is sent. Raises AdhopError for what can't be."""
    try:
        return dumps(body, default=_plain, allow_nan=False).encode()
    except ValueError:
        raise AdhopError(
            "numbers that are sent must be finite: there is an infinite one, or one that is none"
        ) from None


def _plain(value: Any) -> Any:
    """What JSON has no words for, as what it stands for."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    if isinstance(value, PurePath):
        return str(value)
    raise AdhopError(f"{value!r} can't be sent: give numbers, text, lists and dicts")


def _busy(answer: httpx.Response) -> bool:
    """Whether the same request may be answered in a moment. A limit on what is open or stored doesn't pass by waiting: that one comes
    without a moment to try again."""
    limit = answer.status_code == httpx.codes.TOO_MANY_REQUESTS and "Retry-After" not in answer.headers
    return answer.status_code in _BUSY and not limit


def _retry_after(answer: httpx.Response, default: float) -> float:
    try:
        return min(float(answer.headers["Retry-After"]), 30.0)
    except (KeyError, ValueError):
        return default


def _refusal(answer: httpx.Response) -> RequestRefused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    detail = problem.get("detail") or problem.get("title") or answer.reason_phrase
    field = problem.get("field")
    return RequestRefused(
        answer.status_code, plain.text(str(detail)), None if field is None else plain.text(str(field))
    )
