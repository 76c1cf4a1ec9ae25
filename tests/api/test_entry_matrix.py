"""The same content by every way in is the same submission, with the same warnings: REST texts and arrays, ASE's and pymatgen's
objects, files, and the command line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import adhop
import httpx
import numpy as np
import pytest
from adhop.cli import app
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian, FixScaled
from ase.io import read, write
from ase.io.jsonio import encode
from pydantic import TypeAdapter
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from shared.database.tables import Job
from shared.submissions import Submission
from tests.api.conftest import Service
from tests.api.structures import arrays

SUBMISSION: TypeAdapter[Any] = TypeAdapter(Submission)
LAYER = [[(0, 0), (2, 2)], [(2, 0), (0, 2)], [(0, 0), (2, 2)]]


def slab(*, down: bool = False) -> Atoms:
    """Six Pt in three layers, the lowest fixed. Every number is a sum of powers of two, so that no format rounds it."""
    positions = [(x, y, 2.0 + 2.0 * layer) for layer, places in enumerate(LAYER) for x, y in places]
    atoms = Atoms("Pt6", positions=positions, cell=[4, 4, 16], pbc=True)
    atoms.set_constraint(FixAtoms([0, 1]))
    return turned(atoms) if down else atoms


def turned(atoms: Atoms) -> Atoms:
    """The same with everything upside down, the third lattice vector too."""
    over = atoms.copy()
    over.positions[:, 2] *= -1
    over.cell[2] *= -1
    return over


def adslab(*, down: bool = False) -> Atoms:
    atoms = slab() + Atoms("CO", positions=[(0, 0, 7.875), (0, 0, 9.0)])
    atoms.set_constraint(FixAtoms([0, 1]))
    atoms.set_tags([0] * 4 + [1] * 2 + [2] * 2)
    return turned(atoms) if down else atoms


def tagged(atoms: Atoms, tags: list[int]) -> Atoms:
    atoms.set_tags(tags)
    return atoms


@dataclass
class Doors:
    """Every way into one service."""

    service: Service
    rest: httpx.Client
    client: adhop.Client
    folder: Path

    def posted(self, kind: str, structure: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        name = {"slab": "slab", "adslab": "structure", "bulk": "bulk"}[kind]
        answer = self.rest.post("/v1/jobs", json={"input": {"kind": kind, name: structure} | more})
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 422:
            raise adhop.RequestRefused(422, answer.json()["detail"])
        return answer.json()

    def digest(self, job_id: str) -> str:
        with self.service.opened() as session:
            return SUBMISSION.validate_python(session.get_one(Job, UUID(job_id)).submission).digest


@pytest.fixture
def doors(service: Service, tmp_path: Path) -> Iterator[Doors]:
    key = service.key()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=service.url, headers=headers) as rest, adhop.Client(service.url, key) as client:
        yield Doors(service, rest, client, tmp_path)


def written(atoms: Atoms, form: str) -> str:
    if form == "ase-json":
        return str(encode(atoms))
    text: Any = BytesIO() if form == "cif" else StringIO()
    write(text, atoms, format={"poscar": "vasp"}.get(form, form))
    return text.getvalue().decode() if form == "cif" else text.getvalue()


def by_text(form: str) -> Callable[..., dict[str, Any]]:
    return lambda doors, kind, atoms, more: doors.posted(kind, {"format": form, "text": written(atoms, form)}, more)


def by_arrays(doors: Doors, kind: str, atoms: Atoms, more: dict[str, Any]) -> dict[str, Any]:
    fixed = [
        index in set(atoms.constraints[0].get_indices()) if atoms.constraints else False for index in range(len(atoms))
    ]
    return doors.posted(kind, arrays(atoms, fixed=fixed), more)


def by_object(doors: Doors, kind: str, given: Any, more: dict[str, Any]) -> dict[str, Any]:
    return doors.client.submit(**{kind: given}, **more).body


def by_pymatgen(doors: Doors, kind: str, atoms: Atoms, more: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, list[Any]] = {"tags": atoms.get_tags().tolist()}
    if atoms.constraints:
        fixed = atoms.constraints[0].get_indices()
        properties["selective_dynamics"] = [[index not in fixed] * 3 for index in range(len(atoms))]
    given = Structure(
        Lattice(atoms.cell.array), atoms.numbers, atoms.positions, coords_are_cartesian=True, site_properties=properties
    )
    return by_object(doors, kind, given, more)


def by_file(form: str, name: str) -> Callable[..., dict[str, Any]]:
    def submit(doors: Doors, kind: str, atoms: Atoms, more: dict[str, Any]) -> dict[str, Any]:
        (doors.folder / name).write_text(written(atoms, form))
        return by_object(doors, kind, doors.folder / name, more)

    return submit


def by_terminal(form: str, name: str) -> Callable[..., dict[str, Any]]:
    def submit(doors: Doors, kind: str, atoms: Atoms, more: dict[str, Any]) -> dict[str, Any]:
        (doors.folder / name).write_text(written(atoms, form))
        options = [f"--{kind}", str(doors.folder / name)]
        for option, value in more.items():
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            options += [f"--{option.replace('_', '-')}", text]
        key = doors.rest.headers["Authorization"].removeprefix("Bearer ")
        said = CliRunner().invoke(app, ["--url", doors.service.url, "submit", *options], env={"ADHOP_KEY": key})
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        assert said.exit_code == 0, said.output
        return doors.rest.get("/v1/jobs", params={"limit": 1}).json()["jobs"][0]

    return submit


TAGGED = {
    "REST extxyz": by_text("extxyz"),
    "REST ase-json": by_text("ase-json"),
    "REST arrays": by_arrays,
    "Atoms": by_object,
    "Atoms read from a file": lambda doors, kind, atoms, more: by_object(
        doors, kind, read(StringIO(written(atoms, "extxyz")), format="extxyz"), more
    ),
    "pymatgen": by_pymatgen,
    "file .extxyz": by_file("extxyz", "a.extxyz"),
    "file .json": by_file("ase-json", "a.json"),
    "file without a suffix": by_file("extxyz", "given"),
    "command line .xyz": by_terminal("extxyz", "a.xyz"),
}
"""Ways that carry tags."""
UNTAGGED = TAGGED | {
    "REST poscar": by_text("poscar"),
    "file POSCAR": by_file("poscar", "POSCAR"),
    "file .vasp": by_file("poscar", "a.vasp"),
    "command line POSCAR": by_terminal("poscar", "CONTCAR"),
}
BULK = UNTAGGED | {
    "REST cif": by_text("cif"),
    "file .cif": by_file("cif", "a.cif"),
    "command line .cif": by_terminal("cif", "a.cif"),
}
ON = {"adsorbate": "*CO"}
CONTENTS: dict[str, tuple[Any, str, Callable[[], Atoms], dict[str, Any], list[str]]] = {
    "a slab": (UNTAGGED, "slab", slab, ON, []),
    "a slab that looks down": (UNTAGGED, "slab", lambda: slab(down=True), ON, []),
    "a slab with OC20's tags": (TAGGED, "slab", lambda: tagged(slab(), [0, 0, 1, 1, 1, 1]), ON, []),
    "a slab with ASE's layers": (TAGGED, "slab", lambda: tagged(slab(), [3, 3, 2, 2, 1, 1]), ON, ["tags count layers"]),
    "layers that look down": (
        TAGGED,
        "slab",
        lambda: tagged(slab(down=True), [3, 3, 2, 2, 1, 1]),
        ON,
        ["tags count layers"],
    ),
    "layers from below": (TAGGED, "slab", lambda: tagged(slab(), [1, 1, 2, 2, 3, 3]), ON, ["layers, from below"]),
    "two layers": (TAGGED, "slab", lambda: tagged(slab(), [0, 0, 2, 2, 1, 1]), ON, ["count layers", "have no layer"]),
    "an adslab": (TAGGED, "adslab", adslab, {}, []),
    "an adslab that looks down": (TAGGED, "adslab", lambda: adslab(down=True), {}, []),
    "an adslab by indices": (UNTAGGED, "adslab", lambda: tagged(adslab(), [0] * 8), {"adsorbate_indices": [6, 7]}, []),
    "an adslab of layers, by indices": (
        TAGGED,
        "adslab",
        lambda: tagged(adslab(), [3, 3, 2, 2, 1, 1, 0, 0]),
        {"adsorbate_indices": [6, 7], "binding": [6]},
        ["tags count layers"],
    ),
    "a bulk": (
        BULK,
        "bulk",
        lambda: Atoms("Pt2", positions=[(0, 0, 0), (2, 2, 2)], cell=[4, 4, 4], pbc=True),
        ON | {"miller": [1, 0, 0]},
        [],
    ),
}


@pytest.mark.parametrize(("ways", "kind", "content", "more", "said"), CONTENTS.values(), ids=CONTENTS.keys())
def test_the_same_content_is_the_same_submission_by_every_way(doors, ways, kind, content, more, said):
    found = {way: submit(doors, kind, content(), dict(more)) for way, submit in ways.items()}
    digests = {way: doors.digest(body["id"]) for way, body in found.items()}
    assert len(set(digests.values())) == 1, digests
    for way, body in found.items():
        assert len(body["warnings"]) == len(said), (way, body["warnings"])
        assert all(any(part in warning for warning in body["warnings"]) for part in said), (way, body["warnings"])


def test_layers_are_not_read_and_all_else_is(doors):
    bare = doors.digest(by_object(doors, "slab", slab(), ON)["id"])
    for tags in ([3, 3, 2, 2, 1, 1], [1, 1, 2, 2, 3, 3], [0] * 6):
        assert doors.digest(by_object(doors, "slab", tagged(slab(), tags), ON)["id"]) == bare
    assert doors.digest(by_object(doors, "slab", tagged(slab(), [0, 0, 0, 0, 1, 1]), ON)["id"]) != bare


HELD = {name: way for name, way in UNTAGGED.items() if name not in ("REST arrays", "pymatgen")}


@pytest.mark.parametrize("way", HELD)
def test_a_direction_that_is_held_is_refused_alike_by_every_way(doors, way):
    vasp = "poscar" in way.lower() or "vasp" in way  # ASE writes other constraints there than into other formats
    given = slab()
    given.set_constraint([FixAtoms([0, 1]), (FixScaled if vasp else FixCartesian)([3], (True, False, True))])
    with pytest.raises(adhop.AdhopError, match=r"atom 3.* F T F fixes the atom along some directions only"):
        HELD[way](doors, "slab", given, ON)


def moving(atoms: Atoms) -> Atoms:
    atoms.set_momenta(np.full((len(atoms), 3), 0.5))
    atoms.info["charge"] = 1
    atoms.calc = SinglePointCalculator(atoms, energy=-1.0)
    return atoms


@pytest.mark.parametrize(
    "way", [name for name in TAGGED if name not in ("REST arrays", "pymatgen", "REST ase-json", "file .json")]
)
def test_what_is_not_used_is_said_alike_by_every_way(doors, way):
    body = TAGGED[way](doors, "slab", moving(slab()), ON)
    assert body["warnings"] == [
        "slab: not used: energy, momenta",
        "slab: not used: charge; the members compute neutral systems and take no charges or spins",
    ]
    again = doors.rest.get(f"/v1/jobs/{body['id']}").json()
    assert again["warnings"] == body["warnings"]


@pytest.mark.parametrize("given", [range(6, 8), np.array([6, 7]), np.arange(8) > 5, [-2, -1], (6, 7)])
def test_indices_may_be_ranges_arrays_and_masks(doors, given):
    asked = by_object(doors, "adslab", tagged(adslab(), [0] * 8), {"adsorbate_indices": [6, 7]})
    found = by_object(doors, "adslab", tagged(adslab(), [0] * 8), {"adsorbate_indices": given})
    assert doors.digest(found["id"]) == doors.digest(asked["id"])


def test_four_indices_are_three_and_said(doors):
    hexagonal = Atoms(
        "Pt2",
        scaled_positions=[(1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75)],
        cell=[2.75, 2.75, 4.5, 90, 90, 120],
        pbc=True,
    )
    four = by_object(doors, "bulk", hexagonal, ON | {"miller": np.array([1, 0, -1, 0])})
    three = by_object(doors, "bulk", hexagonal, ON | {"miller": "1,0,0"})
    assert doors.digest(four["id"]) == doors.digest(three["id"])
    assert four["warnings"] == ["bulk: the four indices (1 0 -1 0) were read as (1 0 0)"]
