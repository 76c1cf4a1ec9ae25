"""Whose gas molecules each member's adsorption energies are relative to: a table for each member, by its name, as TOML.

["chgnet-0.3.0"]
kind = "fitted"                              # or "own gas", "constants", "given" (shared/scales.py)
energies = { H = -3.635, C = -8.265, O = -7.36 }  # eV an atom; other elements take the member's own molecules
fit = { set = "PengRole2020", functional = "BEEF-vdW", made = 2026-11-26, … }

["site-uma"]
kind = "constants"                           # without energies: those of OC20

["site-mace"]
kind = "given"
label = "our RPBE"
energies = { H = -3.4, C = -7.3, N = -8.1, O = -7.2 }

Those that come with Adhop are references.toml here; references.toml beside the site's file of members comes before them, for every
member, shipped or not. `python -m worker.models fit` writes it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared import private_files
from shared.errors import Misconfigured
from shared.scales import OC20, Scale, ScaleKind
from worker.potentials.members_file import reasons
from worker.potentials.site_files import read_toml

SHIPPED = Path(__file__).with_name("references.toml")
_HEADER = "# References of members; the format is described in worker/potentials/references_file.py.\n"


def beside(members_file: Path) -> Path:
    """The file of references that belongs to a site's file of members."""
    return members_file.with_name("references.toml")


def read(file: Path) -> dict[str, Scale]:
    """By member; none where the file isn't there. Raises Misconfigured, which names the file, the member and what to change."""
    if not file.exists():
        return {}
    document = read_toml(file, kind="references")
    return {name: _scale(file, name, table) for name, table in document.items()}


def _scale(file: Path, name: str, table: Any) -> Scale:
    if isinstance(table, Mapping) and table.get("kind") == ScaleKind.CONSTANTS and "energies" not in table:
        return OC20
    try:
        return Scale.model_validate(table)
    except ValidationError as error:
        raise Misconfigured(f"{file}: {name}: {'; '.join(reasons(error))}") from error


def write(file: Path, made: Mapping[str, Scale]) -> None:
    """Put these into the file, in the place of those of the same members; the others stay."""
    kept = read(file) | dict(made)
    text = _HEADER + "".join(f"\n[{json.dumps(name)}]\n{_lines(scale)}" for name, scale in sorted(kept.items()))
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f"{file.name}.half")
    half.unlink(missing_ok=True)
    private_files.write_new(half, text)
    half.chmod(0o644)
    read(half)
    os.replace(half, file)


def _lines(scale: Scale) -> str:
    values = scale.model_dump(mode="json", exclude_defaults=True)
    fit = values.pop("fit", None)
    lines = [f"{name} = {_toml(value)}\n" for name, value in values.items()]
    lines += [f"fit.{name} = {value if name == 'made' else _toml(value)}\n" for name, value in (fit or {}).items()]
    return "".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else json.dumps(name)
