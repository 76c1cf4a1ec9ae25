"""Log lines: readable text, and JSON with all fields."""

import json
import logging
import sys

from shared.logs import JsonFormatter, TextFormatter, request_id


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
