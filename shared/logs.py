"""Logs of all processes: a line for people, or one JSON object a line for machines. Fields given as `extra` are kept in both.

No secret stands in a line, whoever brought it there; and what came from outside can neither begin a line of its own nor steer the
terminal that shows it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType

from shared.secrets import masked

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The request that is being answered, where there is one."""

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_SEVERAL_WORDS = re.compile(r'[\s"=]')
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data", "color_message"}


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO worker.tasks.member_task [4711] stored job=… attempt=1`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_quoted(value)}" for name, value in _fields(record).items())
        return one_line(super().formatMessage(record) + fields)

    def formatException(self, ei: _ExceptionInfo) -> str:
        """Marked lines: none of them is taken for an event's own, whatever the error says."""
        return "\n".join(f"  | {one_line(line)}" for line in super().formatException(ei).split("\n"))

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class JsonFormatter(logging.Formatter):
    """time (UTC, ISO 8601), level, logger, process, message, the fields, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return masked(json.dumps(line, default=str))


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if (current := request_id.get()) is not None:
        fields.setdefault("request_id", current)
    return fields


def _quoted(value: object) -> str:
    """As it is where it is one word: no other field can stand in it."""
    text = str(value)
    return text if not _SEVERAL_WORDS.search(text) else '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def one_line(text: str) -> str:
    """The text with what isn't printable, ends of lines included, as escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def configure(form: LogFormat) -> None:
    """Let everything from INFO on go to standard error in this form, and the error that ends the process or a thread of it too; a
    second call replaces the first."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    sys.excepthook = _ended
    threading.excepthook = lambda ended: _ended(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _ended(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger(__name__).critical("ended by an error", exc_info=(kind, error, traceback))
