"""Requests over plain connections that stay open, by one client or several, and how long each took."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Server:
    """Who is asked."""

    port: int
    headers: Mapping[str, str]

    def connect(self) -> Connection:
        return Connection(self)

    def wait(self, longest_s: float = 240.0) -> None:
        """Until it answers. Raises OSError where it doesn't within that time."""
        until = time.monotonic() + longest_s
        while True:
            try:
                self.connect().ask("GET", "/v1/models")
                return
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)


class Connection:
    """One client."""

    def __init__(self, server: Server) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", **server.headers}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        """Status, document, header fields. Raises RuntimeError for a refusal."""
        sent = None if body is None else json.dumps(body)
        while True:
            try:
                self._http.request(method, path, sent, self._headers | headers)
                answer = self._http.getresponse()
            except http.client.RemoteDisconnected:  # it was idle for longer than the server keeps it
                self._http.close()
                continue
            read = answer.read()
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
            time.sleep(float(answer.headers.get("retry-after", 1)))  # counted: clients do so, too
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {read[:500]!r}")
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(read) if read and "json" in kind else read, answer.headers


@dataclass(frozen=True)
class Rate:
    """What one kind of request took."""

    per_s: float
    """Requests of all clients together, or what each of them held."""
    median_ms: float
    p99_ms: float


def measure(
    server: Server, asks: Callable[[Connection, int], Any], *, clients: int, seconds: float, each: int = 1
) -> Rate:
    """asks: one request, of a connection and a number that no other request of this measurement has. each: how many things one
    request is about."""
    waits: list[list[float]] = [[] for _ in range(clients)]
    troubles: list[Exception] = []
    for warm in range(3):
        asks(server.connect(), -1 - warm)
    began = time.perf_counter()
    until = began + seconds

    def go_on(client: int) -> None:
        connection, n = server.connect(), client
        try:
            while (start := time.perf_counter()) < until:
                asks(connection, n)
                waits[client].append(time.perf_counter() - start)
                n += clients
        except (OSError, RuntimeError, AssertionError, http.client.HTTPException) as error:
            troubles.append(error)

    threads = [threading.Thread(target=go_on, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
    took = time.perf_counter() - began
    every = np.array([wait for part in waits for wait in part]) * 1000
    low, high = np.quantile(every, [0.5, 0.99], method="higher")
    return Rate(round(each * len(every) / took, 1), round(float(low), 2), round(float(high), 2))
