"""Writing members into the administrator's file: appended, so that what a person wrote there stays as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shared.errors import Misconfigured
from worker.potentials import members_file
from worker.potentials.members_file import MemberTable

_HEADER = "# Members of this site; the format is described in worker/potentials/members_file.py.\n"


def refuse_known(file: Path, name: str) -> None:
    """Raises Misconfigured where the file can't be used, or holds that name already."""
    known = members_file.read(file) if file.exists() else []
    if any(one.name == name for one in known):
        raise Misconfigured(
            f"{file} has a member {name} already; a name means one checkpoint: take another, or delete it there"
        )


def append(file: Path, member: MemberTable) -> None:
    """Add a member. Raises Misconfigured where the file can't be used, or holds that name already."""
    refuse_known(file, member.name)
    text = file.read_text(encoding="utf-8") if file.exists() else _HEADER
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.half")
    half.write_text(f"{text.rstrip()}\n\n{block(member)}", encoding="utf-8")
    members_file.read(half)
    os.replace(half, file)


def block(member: MemberTable) -> str:
    """The table as text, without defaults."""
    values = member.model_dump(mode="json", exclude_defaults=True)
    return "[[member]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple | set | frozenset):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    # a JSON string is a TOML basic string, but for DEL and the surrogates that JSON would write for characters beyond the BMP
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
