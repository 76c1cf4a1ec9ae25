"""Every error leaves as a problem document (RFC 9457, application/problem+json). The one place that maps errors to HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg.errors import UndefinedTable
from pydantic import BaseModel
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.wording import Fields, plainly
from shared.errors import (
    AdhopError,
    Conflict,
    Forbidden,
    InvalidInput,
    LimitReached,
    NotFound,
    Unauthorised,
    Unavailable,
)
from shared.plain_text import shown

log = logging.getLogger(__name__)

Location = tuple[str | int, ...]
"""Where pydantic found something wrong."""

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_OF_JOBS = ("/v1/jobs", "/v1/systems")
"""Routes whose body is a job's request."""
_MOST_ERRORS = 20
_MOST_CHARACTERS = 1000

_STATUS: dict[type[AdhopError], HTTPStatus] = {
    InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unauthorised: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    LimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

_OF_THE_DATABASE = (OperationalError, InterfaceError, PoolTimeout, ProgrammingError)


class FieldError(BaseModel):
    """One place of the request, dotted, and what is wrong there."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `detail` is a sentence for people; `field` and `errors` name the places of a refused request."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None
    errors: list[FieldError] | None = None


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    field: str | None = None,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A response that says what went wrong."""
    return _response(_document(status, detail, field=field, errors=errors), headers)


def _document(
    status: HTTPStatus, detail: str, *, field: str | None = None, errors: list[FieldError] | None = None
) -> Problem:
    return Problem(title=status.phrase, status=status, detail=_cut(detail), field=field, errors=errors)


def _response(body: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    status, sent = HTTPStatus(body.status), dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:  # no wait mends a limit on what is open or stored
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    if status == HTTPStatus.UNAUTHORIZED:
        sent.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(body.model_dump(exclude_none=True), status, media_type=MEDIA_TYPE, headers=sent)


def _cut(text: str) -> str:
    """Names that came with the request may be megabytes long, or hold what steers a terminal."""
    text = shown(text[: 2 * _MOST_CHARACTERS])
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of these problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": _schema()}},
        }
        for status in statuses
    }


def _schema() -> dict[str, Any]:
    """Of a problem, whole in its place: a document's references don't reach into the definitions of a part."""
    schema = Problem.model_json_schema()
    schema.pop("$defs")
    schema["properties"]["errors"]["anyOf"][0]["items"] = FieldError.model_json_schema()
    return schema


BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
"""What may be wrong with any body, before its fields are looked at."""


def install(app: FastAPI, dotted: Callable[[Location], str], fields: Fields) -> None:
    """Make every error of this app a problem document. dotted: names the place of a request as its sender knows it. fields: those
    that there are at such a place of a job's request."""
    app.add_exception_handler(AdhopError, _domain)
    app.add_exception_handler(RequestValidationError, partial(_invalid, dotted, fields))
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DataError, _unstorable)
    for kind in _OF_THE_DATABASE:
        app.add_exception_handler(kind, _database)
    app.add_exception_handler(Exception, _unexpected)


def answer(request: Request, error: Exception) -> JSONResponse:
    """What is answered to a request that no route saw, because of this error."""
    if isinstance(error, AdhopError):
        return _domain(request, error)
    return _database(request, error) if isinstance(error, _OF_THE_DATABASE) else _unexpected(request, error)


def of_error(error: AdhopError | DataError) -> Problem:
    """What is told of a request that was refused with this error."""
    if isinstance(error, DataError):
        reason = str(error.orig if error.orig is not None else error).splitlines()[0]
        return _document(HTTPStatus.UNPROCESSABLE_ENTITY, f"a value of the request can't be stored: {reason}")
    status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
    return _document(status, str(error), field=getattr(error, "field", None))


def of_fields(errors: Sequence[Any], dotted: Callable[[Location], str], known: Fields = lambda location: ()) -> Problem:
    """What is told of a request that doesn't fit the model, by pydantic's errors: which fields, and why. Values are not echoed."""
    found = [
        FieldError(field=_cut(dotted(one["loc"])), message=_cut(plainly(one, known))) for one in errors[:_MOST_ERRORS]
    ]
    if found and found[0].message == "JSON decode error":
        found[0] = FieldError(field="body", message="the body is not JSON")
    detail = "; ".join(f"{one.field}: {one.message}" for one in found[:3])
    return _document(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field=found[0].field if found else None, errors=found)


def _domain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AdhopError)
    return _response(of_error(error))


def _invalid(dotted: Callable[[Location], str], fields: Fields, request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    known = fields if request.url.path in _OF_JOBS else lambda location: ()
    return _response(of_fields(error.errors(), dotted, known))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = (
        error.detail if error.detail != status.phrase else f"{request.method} {request.url.path}: {status.description}"
    )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        detail = "the body is larger than this server accepts"
    if status == HTTPStatus.BAD_REQUEST:
        detail = (
            "the body can't be read as JSON: it is packed, nested too deeply, or holds a number with too many digits"
        )
    return problem(status, detail, headers=dict(error.headers or {}))


def _database(request: Request, error: Exception) -> JSONResponse:
    """PostgreSQL is away, busy, full or not migrated: none of it is the request's fault, and it may pass later."""
    if isinstance(error, ProgrammingError) and not isinstance(error.orig, UndefinedTable):
        return _unexpected(request, error)
    cause = error.orig if isinstance(error, DBAPIError) else error
    log.warning("database trouble at %s %s: %s", request.method, request.url.path, cause)
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the database can't be used just now; try again shortly")


def _unstorable(request: Request, error: Exception) -> JSONResponse:
    """NUL in a text, or a number beyond its column: fit for the models, not for the database."""
    assert isinstance(error, DataError)
    return _response(of_error(error))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong here; the server's log has the reason")
