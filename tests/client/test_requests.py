"""Requests that are tried again, against a real HTTP server that is busy for a while."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from adhop import AdhopError, Client, RequestRefused, ServerUnreachable
from ase.build import bulk, fcc111

JOB = {"id": "1", "state": "queued", "adsorbate": "*CO", "surface": "Pt", "progress": {}}


class Server(ThreadingHTTPServer):
    """Answers with the statuses of its list, one after the other; the last one stays."""

    def __init__(self, statuses: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses = statuses
        self.seen: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.seen.append(dict(self.headers))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        body = JOB if status == 201 else {"title": "x", "detail": "not now", "field": "input.slab", "status": status}
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == 201 else "application/problem+json")
        if status in (408, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def serve() -> Iterator:
    servers: list[Server] = []

    def start(*statuses: int) -> Server:
        server = Server(list(statuses))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def submit(url: str):
    with Client(url, "adhop_key") as client:
        return client.submit(bulk="Pt", miller=(1, 1, 1), adsorbate="*CO")


def test_a_busy_server_is_asked_again_with_the_same_idempotency_key(serve):
    server = serve(503, 408, 201)
    assert submit(server.url).id == "1"
    assert len(server.seen) == 3
    assert len({one["Idempotency-Key"] for one in server.seen}) == 1
    assert {one["Authorization"] for one in server.seen} == {"Bearer adhop_key"}


def test_what_numpy_makes_is_sent_as_what_it_stands_for(serve):
    server = serve(201)
    window = np.float32(0.5)
    with Client(server.url) as client:
        atoms = fcc111("Pt", (2, 2, 2), vacuum=8)
        job = client.submit(
            adslab=atoms,
            adsorbate_indices=np.array([6, 7]),
            parameters={"seed": np.int64(3), "selection": {"window": window}, "ensemble": {"score_members": range(2)}},
        )
        job.select(count=np.int64(2), window=window, members=np.array(["a", "b"]), include_anomalous=np.bool_(True))
    submitted, selected = server.bodies
    assert submitted["input"]["adsorbate_indices"] == [6, 7]
    assert submitted["parameters"] == {"seed": 3, "selection": {"window": 0.5}, "ensemble": {"score_members": [0, 1]}}
    assert selected == {"members": ["a", "b"], "count": 2, "window": 0.5, "include_anomalous": True}


def test_what_has_no_words_in_json_is_refused_before_it_is_sent():
    with Client("http://127.0.0.1:1") as client:
        for value, why in ((float("nan"), "finite"), (np.inf, "finite"), (object(), "can't be sent")):
            with pytest.raises(AdhopError, match=why):
                client.submit(bulk="Pt", miller="111", adsorbate="*CO", parameters={"seed": value})


def test_what_does_not_belong_to_a_submission_is_refused_by_name():
    with Client("http://127.0.0.1:1") as client:
        for more, why in (
            ({"slab": fcc111("Pt", (1, 1, 2), vacuum=8), "top": False}, "top is of the cut of a bulk"),
            ({"bulk": bulk("Pt"), "miller": "111", "a": 4.0}, "a is of a bulk that is named"),
            ({"bulk": "Pt", "miller": "111", "elements": ["Pt"]}, "elements is of a prototype"),
            (
                {"prototype": "rutile", "elements": "TiO2", "crystal": "fcc", "miller": "111"},
                "crystal is of a bulk named",
            ),
            ({"bulk": "Pt", "prototype": "rutile", "miller": "111"}, "a prototype is a bulk"),
            ({"adslab": fcc111("Pt", (1, 1, 2), vacuum=8)}, "adsorbate is in the adslab already"),
        ):
            with pytest.raises(AdhopError, match=why):
                client.submit(adsorbate="*CO", **more)


@pytest.mark.parametrize("status", [422, 429])
def test_a_refusal_that_no_wait_mends_is_not_tried_again(serve, status):
    server = serve(status)
    with pytest.raises(RequestRefused, match=r"not now \(input.slab\)") as refused:
        submit(server.url)
    assert (refused.value.status, len(server.seen)) == (status, 1)


def test_a_server_that_stays_busy_is_told_as_it_answers(serve):
    with pytest.raises(RequestRefused, match="not now") as refused:
        submit(serve(503).url)
    assert refused.value.status == 503


def test_nobody_listening_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("adhop.connection._TRIES", 2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ServerUnreachable, match=f"no answer from http://127.0.0.1:{port}"):
        submit(f"http://127.0.0.1:{port}")


def test_what_cannot_be_sent_is_said_before_anything_is_sent(monkeypatch):
    monkeypatch.delenv("ADHOP_URL", raising=False)
    with pytest.raises(AdhopError, match="ADHOP_URL"):
        Client()
    with Client("http://127.0.0.1:1", "key") as client:
        with pytest.raises(AdhopError, match="exactly one of"):
            client.submit(adsorbate="*CO")
        with pytest.raises(AdhopError, match="Miller"):
            client.submit(bulk="Pt", adsorbate="*CO")
        with pytest.raises(AdhopError, match="adsorbate"):
            client.submit(bulk="Pt", miller=(1, 1, 1))
