"""What a server understood of a submission, or of a job: shown, drawn, written to files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from adhop.console import console
from adhop.errors import AdhopError

FORMATS = {".json": "json", ".extxyz": "extxyz", ".xyz": "extxyz", ".png": "png"}
"""By a file's suffix."""


class System:
    """A system as the server tells it. `body` is the whole answer."""

    def __init__(self, ask: Callable[[str], Any]) -> None:
        """ask: gets the system from the server, as `json`, `extxyz` or `png`."""
        self._ask = ask
        self.body: dict[str, Any] = ask("json")

    def __repr__(self) -> str:
        return f"System({self.body['adsorbate']['name']} on {self.body['slab']['formula']}, {len(self)} placements)"

    def __len__(self) -> int:
        return len(self.body["placements"])

    @property
    def slab(self) -> Atoms:
        """The clean slab; OC20 tags, fixed atoms as FixAtoms."""
        return _atoms(self.body["slab"]["structure"])

    @property
    def placements(self) -> list[Atoms]:
        """The starting geometries, with `site` and `method` in atoms.info."""
        made = []
        for one in self.body["placements"]:
            atoms = _atoms(one["structure"])
            atoms.info = {key: one[key] for key in ("index", "site", "method")}
            made.append(atoms)
        return made

    @property
    def warnings(self) -> list[str]:
        """What was ignored, simplified or decided for you."""
        return list(self.body["warnings"])

    def write(self, path: str | Path) -> Path:
        """Write it to a file: .json, .extxyz (the slab, then the placements) or .png (a picture)."""
        path = Path(path)
        form = FORMATS.get(path.suffix.lower())
        if form is None:
            raise AdhopError(f"{path}: use {', '.join(sorted(FORMATS))}")
        if form == "json":
            path.write_text(json.dumps(self.body, indent=1))
        elif form == "png":
            path.write_bytes(self._ask(form))
        else:
            path.write_text(self._ask(form))
        return path

    def table(self) -> Group:
        """As rich tables: what was understood, then the placements by site."""
        facts = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
        facts.add_column(style="dim", no_wrap=True)
        facts.add_column(overflow="fold")
        for label, value in _facts(self.body):
            facts.add_row(Text(label), Text(value))
        sites = Table("site", "found", "placements", box=box.SIMPLE_HEAD, pad_edge=False)
        for (site, method), indices in _by_site(self.body["placements"]).items():
            sites.add_row(Text(site), Text(method), _ranges(indices))
        return Group(facts, sites)

    def print(self) -> None:
        """Show the tables."""
        console().print(self.table())


def _atoms(raw: Mapping[str, Any]) -> Atoms:
    atoms = Atoms(
        numbers=raw["numbers"], positions=raw["positions"], cell=raw["cell"], pbc=raw["pbc"], tags=raw["tags"]
    )
    if any(raw["fixed"]):
        atoms.set_constraint(FixAtoms(mask=np.array(raw["fixed"], dtype=bool)))
    return atoms


def _facts(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and value. Atoms are named by their index in what was given, where something was."""
    slab, adsorbate, cost, members = body["slab"], body["adsorbate"], body["cost"], body["members"]
    cell, order = slab["cell"], body["order"]
    inside = range(slab["n_atoms"]) if order["slab"] is None else order["slab"]
    a, b, c = cell["lengths"]
    angles = ", ".join(f"{angle:.1f}" for angle in cell["angles"])
    binding = ", ".join(f"{adsorbate['symbols'][atom]} {order['adsorbate'][atom]}" for atom in adsorbate["binding"])
    cut = "" if body["surface"] == slab["formula"] else f", {body['surface']}"
    found = [
        ("slab", f"{slab['formula']}{cut}, {slab['n_atoms']} atoms, {slab['thickness']:.2f} Å thick"),
        ("cell", f"{a:.3f} x {b:.3f} x {c:.3f} Å, angles {angles}; {cell['vacuum']:.1f} Å of vacuum"),
        ("surface atoms", _some(inside, slab["surface"])),
        ("fixed atoms", f"{_some(inside, slab['fixed'])}; {slab['n_free']} of the slab are free"),
        ("adsorbate", f"{adsorbate['name']} ({adsorbate['formula']}), binding by {binding or 'no atom'}"),
    ]
    if adsorbate["fixed"]:
        found.append(("fixed adsorbate", _some(order["adsorbate"], adsorbate["fixed"])))
    if body["kind"] in ("adslab", "structures"):
        whole = [*order["slab"], *order["adsorbate"]]
        if whole != sorted(whole):
            found.append(("order inside", f"slab first: atoms {_ranges(whole)} as given"))
    found += [(f"reference ({', '.join(one['members'])})", _reference(one)) for one in body["references"]]
    roles = [f"{role} {', '.join(names)}" for role, names in members.items() if names]
    seconds = "" if cost["seconds"] is None else f", about {_duration(cost['seconds'])}"
    found += [
        ("members", "; ".join(roles)),
        (
            "cost",
            f"{cost['walkers']} walkers, {cost['hops_most']} hops at most, about {cost['force_calls']} force calls{seconds}",
        ),
        ("digest", body["digest"][:16]),
    ]
    found += [("warning", text) for text in body["warnings"]]
    placements = "stored with the job" if body["stored"] else "as a job would get them"
    return [*found, ("placements", f"{len(body['placements'])}, {placements}")]


def _reference(one: Mapping[str, Any]) -> str:
    told = f"{one['statement']}; each relaxes {', '.join(one['relaxed'])}"
    return f"{told}; {one['accuracy']}" if one.get("accuracy") else told


def _some(names: Sequence[int], which: Sequence[int]) -> str:
    """`4: 0-3`: how many, and which."""
    return f"{len(which)}: {_ranges(sorted(names[index] for index in which))}" if which else "none"


def _ranges(indices: Sequence[int]) -> str:
    """`0-3, 8`, in the order given."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _by_site(placements: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for one in placements:
        found.setdefault((one["site"], one["method"]), []).append(one["index"])
    return found


def _duration(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
