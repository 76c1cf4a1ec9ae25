"""Log lines: readable text, and JSON with all fields."""

import json
import logging
import subprocess
import sys

from shared.logs import JsonFormatter, TextFormatter, request_id
from shared.secrets import remember


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "worker.tasks.member_task", "levelname": "INFO", "msg": "stored %s", "args": ("it",)}
    )
    vars(made).update(fields)
    return made


def test_a_json_line_has_the_fields_and_stays_one_line():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        text = JsonFormatter().format(record(job="j", attempt=2, exc_info=sys.exc_info()))
    assert "\n" not in text
    line = json.loads(text)
    assert (line["logger"], line["level"], line["message"]) == ("worker.tasks.member_task", "INFO", "stored it")
    assert (line["job"], line["attempt"]) == ("j", 2)
    assert "ValueError: two\nlines" in line["traceback"]
    assert line["time"].endswith("+00:00")


def test_the_request_that_is_being_answered_is_named():
    token = request_id.set("run-7")
    try:
        assert json.loads(JsonFormatter().format(record()))["request_id"] == "run-7"
        assert TextFormatter().format(record(job="j")).endswith("stored it job=j request_id=run-7")
    finally:
        request_id.reset(token)


def test_what_came_from_outside_begins_no_line_and_steers_no_terminal():
    forged = record(path="/x\n2026-01-31 12:00:00,000 INFO all is well\x1b[2J\u202e")
    said = TextFormatter().format(forged)
    assert said.isprintable()
    assert r'path="/x\n2026-01-31 12:00:00,000 INFO' in said
    assert r"\x1b[2J\u202e" in said
    assert "\n" not in JsonFormatter().format(forged)
    assert TextFormatter().format(record(path='/x status=200 "')).endswith(r'path="/x status=200 \""')


def test_what_an_error_says_begins_no_line_of_its_own():
    try:
        raise ValueError("gone\n2026-01-31 12:00:00,000 INFO all is well\x1b[2J")
    except ValueError:
        first, *rest = TextFormatter().format(record(exc_info=sys.exc_info())).split("\n")
    assert first.endswith("stored it")
    assert rest[-1] == r"  | 2026-01-31 12:00:00,000 INFO all is well\x1b[2J"
    assert all(line.startswith("  | ") for line in rest)


def test_no_secret_stands_in_a_line_nor_in_its_traceback():
    key, url = f"adhop_0a1b2c3d_{'e' * 64}", "postgresql://adhop:pass/w#rd@db:5432/adhop"
    remember("redis://:br%40ker-word@broker:6379/0")
    try:
        raise ValueError(f"Bearer {key} to {url} and br@ker-word")
    except ValueError:
        spoken = record(msg=f"said {key} %s", args=(url,), extra=url, exc_info=sys.exc_info())
    for formatter in (TextFormatter(), JsonFormatter()):
        said = formatter.format(spoken)
        for secret in ("eeee", "pass", "br@ker", "br%40ker"):
            assert secret not in said
        assert "adhop_0a1b2c3d_***" in said  # the part that finds the key's row may be shown
        assert "adhop:***@db:5432/adhop" in said


def test_the_error_that_ends_a_process_is_a_line_of_its_log():
    script = (
        "import threading; from shared.logs import LogFormat, configure; configure(LogFormat.JSON)\n"
        "def fail(): raise ValueError('redis://:secret-word@x/0')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["ended by an error", "ended by an error"]
    assert all("ValueError: redis://:***@x/0" in line["traceback"] for line in lines)
