"""Users, keys, usage and acts as tables; every number with its unit."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from adhop import plain, terminal
from adhop.errors import AdhopError

GIB = 2**30


def moment(given: str | None, otherwise: str = "-") -> str:
    """`2026-03-01 12:00`, UTC."""
    return otherwise if given is None else given[:16].replace("T", " ")


def size(n_bytes: int | None) -> str:
    """With the unit that suits it."""
    if n_bytes is None:
        return "no limit"
    for unit, one in (("GiB", GIB), ("MiB", 2**20)):
        if n_bytes >= one:
            return f"{n_bytes / one:.1f} {unit}"
    return f"{n_bytes / 1024:.1f} KiB"


def of(used: int, allowed: int | None) -> str:
    """`3 of 10`."""
    return f"{used:,}" if allowed is None else f"{used:,} of {allowed:,}"


def users(found: Iterable[Mapping[str, Any]]) -> Table:
    """Asterisks mark limits of the user's own."""
    made = terminal.table(
        "user", "role", "state", "groups", "open jobs", "open force calls", "stored", "last used (UTC)"
    )
    made.caption = "* the user's own limit; the others are the server's"
    for user in found:
        limits, use = user["limits"], user["use"]
        star = {name: "*" if name in limits["own"] else "" for name in limits}
        room = limits["stored_bytes"]
        stored = size(use["stored_bytes"]) + ("" if room is None else f" of {size(room)}")
        made.add_row(
            Text(user["name"]),
            ", ".join(user["roles"]) or "no key",
            "works" if user["disabled_at"] is None else f"disabled {moment(user['disabled_at'])}",
            Text(", ".join(user["groups"]) or "-"),
            of(use["open_jobs"], limits["open_jobs"]) + star["open_jobs"],
            of(use["open_force_calls"], limits["open_force_calls"]) + star["open_force_calls"],
            stored + star["stored_bytes"],
            moment(user["last_used_at"], "never"),
        )
    return made


def keys(found: Iterable[Mapping[str, Any]]) -> Table:
    made = terminal.table("key", "role", "label", "state", "created (UTC)", "last used (UTC)")
    for key in found:
        made.add_row(
            key["prefix"], key["role"], Text(key["label"] or "-"), _state(key), moment(key["created_at"]),
            moment(key["last_used_at"], "never"),
        )  # fmt: skip
    return made


def _state(key: Mapping[str, Any]) -> str:
    if key["revoked_at"] is not None:
        return f"revoked {moment(key['revoked_at'])}"
    if key["expires_at"] is None:
        return "works"
    past = datetime.fromisoformat(key["expires_at"]) <= datetime.now(UTC)
    return f"{'expired' if past else 'works until'} {moment(key['expires_at'])}"


def groups(found: Iterable[Mapping[str, Any]]) -> Table:
    made = terminal.table("group", "members", "created (UTC)")
    for group in found:
        made.add_row(Text(group["name"]), Text(", ".join(group["members"]) or "-"), moment(group["created_at"]))
    return made


def usage(found: Iterable[Mapping[str, Any]]) -> Table:
    made = terminal.table("month", "user", "device time (h)", "force calls", "jobs", "stored now")
    for one in found:
        made.add_row(
            one["month"], Text(one["user"]), f"{one['device_s'] / 3600:,.3f}", f"{one['force_calls']:,}",
            f"{one['jobs']:,}", size(one["stored_bytes"]),
        )  # fmt: skip
    return made


def usage_csv(found: Iterable[Mapping[str, Any]]) -> str:
    """Units stand in the header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["month", "user", "device time (s)", "force calls", "jobs", "stored now (bytes)"])
    for one in found:
        said = plain.cell(one["user"])
        writer.writerow([one["month"], said, one["device_s"], one["force_calls"], one["jobs"], one["stored_bytes"]])
    return text.getvalue()


def acts(found: Iterable[Mapping[str, Any]]) -> Table:
    made = terminal.table("at (UTC)", "who", "key", "from", "did", "to", "job", "detail")
    for act in found:
        detail = ", ".join(f"{name} {value}" for name, value in act["detail"].items() if value not in (None, ""))
        made.add_row(
            act["at"][:19].replace("T", " "), Text(act["user"]), act["key"] or "-", act["address"] or "-", act["action"],
            Text(act["subject"] or "-"), act["job"] or "-", Text(detail or "-"),
        )  # fmt: skip
    return made


def end(days: float | None) -> str | None:
    """The moment that lies so many days ahead, ISO 8601."""
    return None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


def refuse_to_show(file: Path | None) -> None:
    """Raise AdhopError, before a key is made that nobody could be told."""
    if file is None and not sys.stdout.isatty():
        raise AdhopError(
            "the key would go where it may stay readable, for the output is no terminal: give --to FILE, a new private file"
        )
    if file is not None and file.exists():
        raise AdhopError(f"{file} is there already: delete it, or give another --to")


def show_key(key: str, file: Path | None) -> None:
    """On the terminal, or in a new file that only its owner can read."""
    if file is None:
        terminal.say(key)
        terminal.say("Keep this key: it is not shown again.")
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(f"{key}\n")
    terminal.say(f"The key is in {file}, which only you can read.")
