"""Names at the door and on the way out, and lines of the log that no request can forge."""

import io
import logging
import time
from uuid import UUID

import httpx
import pytest

from shared.database.tables import Job
from shared.logs import JsonFormatter, TextFormatter
from tests.api.structures import BULK_JOB, arrays, on_slab, slab
from tests.api.test_access import problem

HOSTILE = {
    "a\x1b]8;;http://evil\x07b": "character 2 is U+001B",
    "ab\u202ecd": "character 3 is U+202E (RIGHT-TO-LEFT OVERRIDE)",
    "\u200bx": "character 1 is U+200B (ZERO WIDTH SPACE)",
    "two\nlines": "character 4 is U+000A",
    "c1\x9b31m": "character 3 is U+009B",
}


@pytest.mark.parametrize(("name", "said"), HOSTILE.items())
def test_a_name_with_what_cannot_be_seen_is_refused_with_the_character_and_its_place(client, name, said):
    refused = problem(client.post("/v1/jobs", json=BULK_JOB | {"name": name}), 422)
    assert refused["field"] == "name"
    assert said in refused["detail"]
    assert refused["detail"].isprintable()


def test_names_of_all_scripts_are_kept(client):
    name = "CO auf Pt(111) – α-Al₂O₃, 日本語 [/red] :smile:"
    assert client.post("/v1/jobs", json=BULK_JOB | {"name": name}).json()["name"] == name


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\u202eb"])
def test_names_of_columns_and_members_are_checked_too(client, name):
    problem(client.post("/v1/jobs", json=on_slab(arrays(slab(), left_out=[name]))), 422)
    ensemble = {"ensemble": {"search_members": [name]}}
    refused = problem(client.post("/v1/jobs", json=BULK_JOB | {"parameters": ensemble}), 422)
    assert refused["detail"].isprintable()


def test_an_idempotency_key_is_printable(client):
    answer = client.post("/v1/jobs", json=BULK_JOB, headers={b"Idempotency-Key": b"a\x9bb"})
    assert problem(answer, 422)["field"] == "idempotency-key"


def test_what_was_stored_before_is_shown_with_escapes(service, client):
    job = client.post("/v1/jobs", json=BULK_JOB).json()
    with service.opened.begin() as session:
        row = session.get_one(Job, UUID(job["id"]))
        row.name = "a\x1b[2Jb\u202e"
        row.warnings = ["gone\x07"]
    shown = client.get(f"/v1/jobs/{job['id']}").json()
    assert shown["name"] == r"a\x1b[2Jb\u202e"
    assert shown["warnings"] == [r"gone\x07"]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_path_forges_no_line_and_no_field_of_the_log(service, formatter):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    logger = logging.getLogger("api.request_log")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        path = "/x%0a2026-01-31%2012:00:00,000%20INFO%20api%20[1]%20answered%20status=200%1b[2J%E2%80%AE"
        httpx.get(service.url + path, headers={"X-Request-ID": "a b\tc"})
        until = time.monotonic() + 5
        while not written.getvalue() and time.monotonic() < until:  # the line follows the answer
            time.sleep(0.01)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    (line,) = written.getvalue().splitlines()
    assert line.isprintable()
    assert " status=404 " in line or '"status": 404' in line
    assert " status=200 ms" not in line
