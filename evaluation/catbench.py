"""Sets in CatBench's format: {reaction: {"raw": {structure: {"stoi", "atoms_json" or "ref", "energy_ref"}}, "ref_ads_eng"}}.

`star` is the clean slab, `X*star` the adslab, others are gas molecules; `stoi` is positive for what is made. Structures that several
reactions share stand under "_structures", by `ref`. Moon et al., doi:10.1016/j.xcrp.2025.102968; the package `catbench` writes it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from ase import Atoms
from ase.io import read

from evaluation.labels import Label, LabelledSet, gas_name, label, on_scale
from shared.errors import InvalidInput

_HINT = "write the file with `catbench` 1.0 or later (adsorption data)"


def load(path: Path, reference: str | None = None) -> LabelledSet:
    """All reactions that put an adsorbate on a surface. Raises InvalidInput for a file that is none, or of which nothing can be
    used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise InvalidInput(f"{path} is no JSON: {error}") from None
    if not isinstance(content, dict) or not content:
        raise InvalidInput(f"{path} holds no reactions by name: {_HINT}")
    kept = content.pop("_structures", {})
    found = LabelledSet(path.name, reference or "DFT, as the file has it")
    totals: dict[str, float] = {}
    for entry in content.values():
        totals |= _gas_energies(entry)
    for name, entry in content.items():
        found.add(name, lambda name=name, entry=entry: _label(name, entry, kept, totals))  # type: ignore[misc]
    return found.checked()


def _gas_energies(entry: Any) -> dict[str, float]:
    raw = entry.get("raw") if isinstance(entry, dict) else None
    found = {}
    for key, one in (raw or {}).items() if isinstance(raw, dict) else ():
        if key.endswith("gas") and isinstance(one, dict) and isinstance(one.get("energy_ref"), int | float):
            with suppress(InvalidInput):  # its own reaction says so
                found[gas_name(key)] = float(one["energy_ref"])
    return found


def _label(name: str, entry: Any, kept: Mapping[str, str], totals: Mapping[str, float]) -> Label:
    raw = entry.get("raw") if isinstance(entry, dict) else None
    if not isinstance(raw, dict):
        raise InvalidInput(f"it has no structures under `raw`: {_HINT}")
    stars = [key for key in raw if key.endswith("star") and key != "star"]
    if "star" not in raw or len(stars) != 1:
        raise InvalidInput(
            f"`raw` holds {', '.join(raw) or 'nothing'}: one `star`, the clean slab, and one `X*star` are needed"
        )
    slab, adslab = (_atoms(raw[key], kept, key) for key in ("star", stars[0]))
    gas = {gas_name(key): _number(raw[key], "stoi", key) for key in raw if key not in ("star", stars[0])}
    made = _number(raw[stars[0]], "stoi", stars[0])
    if abs(made) != 1 or _number(raw["star"], "stoi", "star") != -made:
        raise InvalidInput("its reaction makes more or less than one adslab of one slab: give it for one")
    energy = on_scale(
        made * _number(entry, "ref_ads_eng", "it"),
        {key: made * count for key, count in gas.items()},
        adslab,
        slab,
        totals,
    )
    surface = name.split("_")[0] if "_" in name else str(slab.symbols)
    what = stars[0].removesuffix("star")
    return label(f"{what} on {surface}", name, adslab, slab, energy, entry.get("adsorbate_indices"))


def _atoms(one: Any, kept: Mapping[str, str], key: str) -> Atoms:
    text = one.get("atoms_json") or kept.get(str(one.get("ref"))) if isinstance(one, dict) else None
    if not isinstance(text, str):
        raise InvalidInput(f"{key} has neither `atoms_json` nor a `ref` to `_structures`: {_HINT}")
    try:
        return cast("Atoms", read(io.StringIO(text), format="json"))
    except Exception as error:  # noqa: BLE001 - ASE raises whatever it stumbles over
        raise InvalidInput(f"the atoms of {key} can't be read as ASE's JSON: {error or type(error).__name__}") from None


def _number(one: Any, field: str, key: str) -> float:
    value = one.get(field) if isinstance(one, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{key} has no number `{field}`: {_HINT}")
    return float(value)
