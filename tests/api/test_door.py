"""What stands before the routes, over real sockets: keys before bodies, limits of rate, number and time, room for others."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from shared.database.repositories.users import Role, revoke
from tests.api.conftest import ALPHA, BETA, Service, closed_port, serving
from tests.api.structures import BULK_JOB, on_slab
from tests.api.test_hostile_uploads import CIF

LIMITS = {
    "header_timeout_s": 0.8,
    "stall_timeout_s": 0.8,
    "upload_timeout_s": 3.0,
    "max_connections": 24,
    "max_connections_per_address": 16,
    "max_failed_keys_per_minute": 5,
    "max_requests_at_once": 6,
}

SLOW = CIF + "".join(f"Pt {0.001 * n:.4f} {0.0013 * n:.4f} {0.0017 * n:.4f}\n" for n in range(1, 2000))
"""Takes as long to read as is allowed."""


@pytest.fixture(scope="module")
def strict(make_database) -> Iterator[Service]:
    """An API whose limits are reached in a second."""
    with serving(make_database(), f"redis://127.0.0.1:{closed_port()}/0", **LIMITS) as made:
        made.register(ALPHA, BETA)
        yield made


def opened(service: Service) -> socket.socket:
    url = httpx.URL(service.url)
    return socket.create_connection((url.host, url.port), timeout=10)


def head(method: str, path: str, key: str = "", **fields: object) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: here"] + ([f"Authorization: Bearer {key}"] if key else [])
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def everything(raw: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    try:
        while piece := raw.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def closed_within(raw: socket.socket, limit_s: float) -> bytes:
    began = time.monotonic()
    answer = everything(raw)
    assert time.monotonic() - began < limit_s
    return answer


def test_without_a_valid_key_no_byte_of_a_body_is_waited_for(strict):
    for key in ("", "adhop_00000000_" + "0" * 64):
        with opened(strict) as raw:
            raw.sendall(head("POST", "/v1/jobs", key, Content_Length=3_000_000))
            answer = closed_within(raw, 8)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in answer.lower()


def test_where_keys_cannot_be_looked_up_the_answer_is_503_and_comes_at_once():
    away = f"postgresql://somebody:something@127.0.0.1:{closed_port()}/x"
    with serving(away, f"redis://127.0.0.1:{closed_port()}/0") as lonely:
        answer = httpx.get(f"{lonely.url}/v1/jobs", headers={"Authorization": "Bearer adhop_00000000_0"}, timeout=60)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "database" in answer.json()["detail"]


def test_many_wrong_keys_are_slowed_down_and_a_valid_key_of_the_same_address_is_not(strict):
    with strict.client() as honest, httpx.Client(base_url=strict.url) as guessing:
        assert honest.get("/v1/jobs").status_code == 200
        for number in range(20):
            answer = guessing.get("/v1/jobs", headers={"Authorization": f"Bearer adhop_{number:08x}_0"})
            if answer.status_code == 429:
                break
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) >= 1
        assert "without a valid API key" in answer.json()["detail"]
        waits = []
        for _ in range(3):  # a loaded machine may stand still in one
            began = time.monotonic()
            assert honest.get("/v1/jobs").status_code == 200
            waits.append(time.monotonic() - began)
        assert min(waits) < 0.5


def test_a_revoked_key_ends_within_seconds_where_keys_are_remembered(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, key_cache_s=1.0) as remembering, remembering.client() as client:
        assert client.get("/v1/jobs").status_code == 200
        with remembering.opened.begin() as session:
            revoke(session, client.headers["Authorization"].split("_")[1])
        until = time.monotonic() + 15  # where keys are remembered for ever, it never ends
        while client.get("/v1/jobs").status_code == 200:
            assert time.monotonic() < until


def test_a_head_that_never_ends_is_answered_and_closed(strict):
    with opened(strict) as silent, opened(strict) as half:
        half.sendall(b"GET /healthz HTTP/1.1\r\nHost: he")
        assert closed_within(half, 8).startswith(b"HTTP/1.1 408 ")
        closed_within(silent, 8)


def test_the_second_request_of_a_connection_has_the_same_time(strict):
    with opened(strict) as raw:
        raw.sendall(head("GET", "/healthz"))
        while not raw.recv(65536).endswith(b'"alive"}'):
            pass
        raw.sendall(b"GET /healthz HTTP/1.1\r\n")
        for _ in range(20):  # a byte now and then doesn't help
            time.sleep(0.1)
            try:
                raw.sendall(b"x")
            except OSError:
                break
        assert b" 408 " in closed_within(raw, 8)


@pytest.mark.parametrize("pause_s", [None, 0.1], ids=["stalls", "trickles"])
def test_a_body_that_stalls_or_trickles_is_cut(strict, pause_s):
    with opened(strict) as raw:
        raw.sendall(head("POST", "/v1/jobs", strict.key(), Content_Length=100_000) + b'{"name": ')
        raw.settimeout(pause_s or 8)
        began, answer = time.monotonic(), b""
        while b" 408 " not in answer and time.monotonic() - began < 8:
            try:
                answer += raw.recv(65536)
            except TimeoutError:
                raw.sendall(b" ")
        raw.settimeout(10)
        answer += everything(raw)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"came too slowly" in answer


def test_a_body_in_countless_pieces_is_refused(strict):
    with opened(strict) as raw:
        raw.sendall(head("POST", "/v1/jobs", strict.key(), Transfer_Encoding="chunked"))
        raw.sendall(b"1\r\n \r\n" * 2000)
        assert b" 400 " in closed_within(raw, 8)


def test_a_request_of_countless_header_fields_is_refused(strict):
    fields = {f"X-{number}": 1 for number in range(150)}
    answer = httpx.get(f"{strict.url}/healthz", headers={key: str(value) for key, value in fields.items()})
    assert answer.status_code == 431
    assert "100 header fields" in answer.json()["detail"]


def test_an_answer_that_nobody_reads_is_given_up(strict):
    with opened(strict) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(1)
        with suppress(OSError):  # ours fills up, or the other side resets it
            raw.sendall(head("GET", "/openapi.json") * 2000)
        time.sleep(3)
        raw.settimeout(10)
        assert len(everything(raw)) < 3_000_000


def test_half_open_connections_make_room_for_those_that_ask(strict):
    crowd = [opened(strict) for _ in range(40)]
    try:
        for raw in crowd:
            raw.sendall(b"GET /v1/jobs HTTP/1.1\r\n")
        with strict.client() as honest:
            assert honest.get("/v1/jobs").status_code == 200
    finally:
        for raw in crowd:
            raw.close()


def test_http_1_0_and_pipelined_requests_are_answered(strict):
    with opened(strict) as raw:
        raw.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert everything(raw).endswith(b'{"status":"alive"}')
    with opened(strict) as raw:
        raw.sendall(head("GET", "/healthz") * 3 + head("GET", "/healthz", Connection="close"))
        assert everything(raw).count(b'{"status":"alive"}') == 4


def test_one_user_has_so_many_requests_under_way_and_another_one_is_answered(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, max_requests_at_once=6) as patient, ExitStack() as held:
        client, other = held.enter_context(patient.client()), held.enter_context(patient.client())
        key = client.headers["Authorization"].split()[1]
        for _ in range(7):
            raw = held.enter_context(opened(patient))
            raw.sendall(head("POST", "/v1/jobs", key, Content_Length=1000) + b"{")
        until = time.monotonic() + 30  # by then the server has read what was sent
        while (refused := client.get("/v1/jobs")).status_code == 200 and time.monotonic() < until:
            time.sleep(0.05)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert "6 of your requests are under way" in refused.json()["detail"]
        assert other.get("/v1/jobs").status_code == 200


def test_a_request_whose_sender_left_waits_for_no_turn(strict):
    heavy = json.dumps(on_slab({"format": "cif", "text": SLOW})).encode()
    with strict.client() as client:
        key = client.headers["Authorization"].split()[1]
        left = [opened(strict) for _ in range(6)]
        for raw in left:
            raw.sendall(
                head("POST", "/v1/jobs", key, Content_Length=len(heavy), Content_Type="application/json") + heavy
            )
        time.sleep(0.3)
        for raw in left:
            raw.close()
        until = time.monotonic() + 20  # one of them may be read already
        while client.get("/v1/jobs").status_code == 429:
            assert time.monotonic() < until


def test_a_user_may_ask_so_often_and_then_is_told_how_long_to_wait(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, max_requests_per_minute=6) as limited, limited.client() as client:
        answers = [client.get("/v1/jobs") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "you may send 6 requests a minute" in answers[-1].json()["detail"]
        wait = int(answers[-1].headers["Retry-After"])
        assert 5 <= wait <= 10
        with limited.client() as other:
            assert other.get("/v1/jobs").status_code == 200
        time.sleep(wait)
        assert client.get("/v1/jobs").status_code == 200


def test_a_flood_of_heavy_uploads_leaves_a_parser_and_threads_to_others(service):
    heavy = json.dumps(on_slab({"format": "cif", "text": SLOW}))
    stop = threading.Event()
    with service.client() as abuser, service.client() as honest:

        def flood() -> None:
            while not stop.is_set():
                abuser.post("/v1/jobs", content=heavy, headers={"Content-Type": "application/json"})

        with ThreadPoolExecutor(45) as pool:
            for _ in range(45):
                pool.submit(flood)
            time.sleep(2)
            waits = []
            for _ in range(5):
                began = time.monotonic()
                assert honest.get("/v1/jobs").status_code == 200
                assert honest.post("/v1/jobs", json=BULK_JOB).status_code == 201
                waits.append(time.monotonic() - began)
            stop.set()
    assert max(waits) < 3, waits


def test_parsers_give_way_to_the_process_that_answers(service):
    assert service.url
    commands = {int(path.parent.name): path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    parsers = [pid for pid, command in commands.items() if b"adhop-parser" in command]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [pid for pid in parsers if os.getpriority(os.PRIO_PROCESS, pid) == min(own + 10, 19)]


def test_an_administrators_change_is_seen_at_once(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, key_cache_s=60.0) as remembering:
        remembering.register(ALPHA, BETA)
        with remembering.client() as client, remembering.client(Role.ADMIN) as admin:
            job = client.post("/v1/jobs", json=BULK_JOB).json()
            with remembering.opened.begin() as session:
                revoke(session, client.headers["Authorization"].split("_")[1])
            assert client.get("/v1/jobs").status_code == 200
            admin.delete(f"/v1/jobs/{job['id']}")
            assert client.get("/v1/jobs").status_code == 401


def test_a_key_that_its_own_user_revokes_ends_at_once(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, key_cache_s=60.0) as own, own.client(Role.SUBMIT) as client:
        prefix = client.headers["Authorization"].split("_")[1]
        assert client.delete(f"/v1/me/keys/{prefix}").status_code == 200
        assert client.get("/v1/jobs").status_code == 401
