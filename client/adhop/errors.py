"""What can go wrong, seen from the client.

AdhopError
├── ServerUnreachable   no answer, after several tries
├── RequestRefused      the server answered, and said why not
├── JobFailed           the job ended without an answer
└── JobCancelled        somebody cancelled the job
"""

from __future__ import annotations


class AdhopError(Exception):
    """Root of the client's errors."""


class ServerUnreachable(AdhopError):
    """No answer from the server."""


class RequestRefused(AdhopError):
    """The server refused. status: HTTP status; field: the place in the request, if it is one."""

    def __init__(self, status: int, detail: str, field: str | None = None) -> None:
        super().__init__(f"{detail} ({field})" if field and field not in detail else detail)
        self.status = status
        self.field = field


class JobFailed(AdhopError):
    """The job ended without an answer."""


class JobCancelled(AdhopError):
    """The job was cancelled."""
