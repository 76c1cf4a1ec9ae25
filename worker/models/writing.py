"""Writing members into the administrator's file: appended, so that what a person wrote there stays as it is."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from shared import private_files
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
    _put(file, f"{text.rstrip()}\n\n{block(member)}")


def _put(file: Path, text: str) -> None:
    """The file anew, once it can be read back. Others may read it, as the account of a container must."""
    half = file.with_name(f"{file.name}.half")
    half.unlink(missing_ok=True)
    private_files.write_new(half, text)
    half.chmod(0o644)
    members_file.read(half)
    os.replace(half, file)


def replace_sha256(file: Path, name: str, sha256: str) -> None:
    """Write another checksum into a member's table, and leave all else as a person wrote it. Raises Misconfigured."""
    parts = re.split(r"(?m)^(?=\s*\[\[member\]\])", file.read_text(encoding="utf-8"))
    for index, part in enumerate(parts):
        tables = tomllib.loads(part).get("member", []) if "[[member]]" in part else []
        if tables and tables[0].get("name") == name:
            parts[index] = re.sub(r'(?m)^(\s*sha256\s*=\s*)"[0-9a-f]*"', rf'\1"{sha256}"', part, count=1)
    _put(file, "".join(parts))
    if next(one.sha256 for one in members_file.read(file) if one.name == name) != sha256:
        raise Misconfigured(f"{file}: sha256 of {name} is written in a way of its own: set it to {sha256} by hand")


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
