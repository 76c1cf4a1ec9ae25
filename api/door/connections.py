"""Connections that end: uvicorn's protocol with the limits of time and number that it lacks.

uvicorn limits idle connections and the size of a head. Here are: the time that a head may take, how slowly an answer may be read,
into how small pieces a body may be cut, and how many connections there are; where more come, those that say nothing make room.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_READ_BYTES = 65_536
_PIECES = 500
"""Of a body, before their mean size is looked at."""
_SMALLEST_PIECE = 64
"""Bytes, of the mean of more pieces: each costs as much as some kilobytes."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Of every connection, and of all together."""

    head_s: float
    """For the head of a request to be complete."""
    stall_s: float
    """A reader who takes less than bytes_per_s over this time is cut."""
    bytes_per_s: float
    connections: int
    connections_per_address: int
    proxies: frozenset[str]
    """Addresses that stand for many callers."""


class _Pieces(h11.Connection):
    """Refuses bodies in countless pieces."""

    _count = 0
    _size = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._count = self._size = 0
        elif isinstance(event, h11.Data):
            self._count += 1
            self._size += len(event.data)
            if self._count > _PIECES and self._size < self._count * _SMALLEST_PIECE:
                raise h11.RemoteProtocolError("the body comes in too small pieces")
        return event


class LimitedConnection(H11Protocol):
    """One connection. The application finds it as `scope["state"]["connection"]`."""

    def __init__(self, limits: ConnectionLimits, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limits = limits
        most = self.config.h11_max_incomplete_event_size
        self.conn = _Pieces(h11.SERVER) if most is None else _Pieces(h11.SERVER, most)
        self.app_state = {**self.app_state, "connection": self}
        self.may_be_closed = False
        """Whether the request under way is as good as refused."""
        self._silent_since = self.loop.time()
        self._head: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._unread = 0

    @property
    def _awaits_request(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that all that isn't read is heard of
        if hasattr(transport, "max_size"):
            transport.max_size = _READ_BYTES  # asyncio's own 256 KiB may hold so many pieces that others wait
        self._head = self.loop.call_later(self._limits.head_s, self._head_is_late)
        self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._awaits_request and self._head is None:
            self._silent_since = self.loop.time()
            self._head = self.loop.call_later(self._limits.head_s, self._head_is_late)
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if not self._awaits_request and self._head is not None:
            self._head.cancel()
            self._head = None

    def on_response_complete(self) -> None:
        self.may_be_closed = False
        self._silent_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head, self._reader):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._reader is None:
            self._watch_reader()

    def resume_writing(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        super().resume_writing()

    def _watch_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._reader = self.loop.call_later(self._limits.stall_s, self._look_at_reader)

    def _look_at_reader(self) -> None:
        self._reader = None
        left = self.transport.get_write_buffer_size()
        if left and self._unread - left < self._limits.stall_s * self._limits.bytes_per_s:
            self.transport.abort()
        elif left:
            self._watch_reader()

    def _head_is_late(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT, f"the head of the request took longer than {self._limits.head_s:.0f} s"
            )

    def send_400_response(self, msg: str) -> None:
        """uvicorn's, for what is no HTTP; as a problem document."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._refuse(HTTPStatus.BAD_REQUEST, "this is no HTTP request that can be read")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        body = json.dumps({"type": "about:blank", "title": status.phrase, "status": status, "detail": detail}).encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _make_room(self) -> None:
        """Of too many connections, the one that has been silent for longest goes."""
        every = [
            one for one in self.connections if isinstance(one, LimitedConnection) and not one.transport.is_closing()
        ]
        address = self.client[0] if self.client else ""
        same = [one for one in every if one.client and one.client[0] == address]
        if address not in self._limits.proxies and len(same) > self._limits.connections_per_address:
            self._close_one_of(same)
        elif len(every) > self._limits.connections:
            self._close_one_of(every)

    def _close_one_of(self, crowd: list[LimitedConnection]) -> None:
        silent = [one for one in crowd if one is not self and (one.may_be_closed or one._awaits_request)]
        min(silent, key=lambda one: one._silent_since, default=self).transport.abort()
