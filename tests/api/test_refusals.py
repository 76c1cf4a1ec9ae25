"""Submissions that can't be computed are refused over HTTP, each with its place and its reason, and nothing is stored."""

import json
import re
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from sqlalchemy import func, select

from shared.database.tables import Job
from tests.api.conftest import ALPHA, closed_port, serving
from tests.api.structures import BULK_JOB, adslab, arrays, as_adslab, layered, on_slab, slab, text

NAN = float("nan")
SLAB, ADSLAB = slab(), adslab()
UNDER = np.array([[0.0, 0.0, 0.0]] * 12 + [[0.0, 0.0, 10.0]] * 2)
SHUFFLED = layered()
SHUFFLED.set_tags([5, 1, 3] * 4)
FOREIGN = layered()
FOREIGN.set_tags([2, 3, 4] * 4)
VACUUM_ALONG_A = SLAB.cell.array[[2, 0, 1]].tolist()
VACUUM_ALONG_B = SLAB.cell.array[[1, 2, 0]].tolist()
WATER_IN_BOHR = {
    "structure": arrays(Atoms("OH2", positions=np.array([[0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]]) / 0.529177)),
    "binding": [0],
}
HELD_MOLECULE = {
    "structure": arrays(Atoms("CO", positions=[[0, 0, 0], [0, 0, 1.15]]), fixed=[True, False]),
    "binding": [0],
}
TOUCHING = [*ADSLAB.positions[:-1].tolist(), (ADSLAB.positions[-2] + [0, 0, 0.3]).tolist()]
FLAT = [*SLAB.cell.tolist()[:2], [0, 0, 0.2]]
NO_AREA = [SLAB.cell.tolist()[0], SLAB.cell.tolist()[0], SLAB.cell.tolist()[2]]
LOW_CEILING = [*ADSLAB.cell.tolist()[:2], [0, 0, float(np.ptp(ADSLAB.positions[:, 2])) + 1.5]]
PROTOTYPE = BULK_JOB["input"]
CHAIN = {
    "structure": arrays(Atoms("CCCCO", positions=[[0, 0, 1.4 * n] for n in range(5)]), cell=[[0, 0, 0]] * 3),
    "binding": [0],
}


def on_bulk(**changes: Any) -> dict[str, Any]:
    return {"input": PROTOTYPE | changes}


def steered(**parameters: Any) -> dict[str, Any]:
    return {"input": PROTOTYPE, "parameters": parameters}


def moved(positions: Any) -> list[list[float]]:
    return np.asarray(positions, dtype=float).tolist()


def ase_json(**changes: Any) -> dict[str, Any]:
    whole = {"numbers": [78], "positions": [[0, 0, 0]], "cell": [[5, 0, 0], [0, 5, 0], [0, 0, 20]], "pbc": [True] * 3}
    return {"format": "ase-json", "text": json.dumps(whole | changes)}


def extxyz(row: str, columns: str = "") -> dict[str, Any]:
    header = f'Lattice="5 0 0 0 5 0 0 0 20" Properties=species:S:1:pos:R:3{columns} pbc="T T T"'
    return {"format": "extxyz", "text": f"1\n{header}\n{row}\n"}


STRUCTURES: dict[str, tuple[Any, str, str]] = {
    "NaN in an array": (
        on_slab(arrays(SLAB, positions=moved(SLAB.positions * [1, 1, NAN]))),
        "input.slab.positions.0.2",
        "finite",
    ),
    "NaN in a text": (on_slab(extxyz("Pt nan 0 0")), "input.slab", "finite"),
    "infinite cell": (
        on_slab(arrays(SLAB, cell=[[float("inf"), 0, 0], [0, 5, 0], [0, 0, 20]])),
        "input.slab.cell.0.0",
        "finite",
    ),
    "metres": (on_slab(arrays(SLAB, positions=moved(SLAB.positions * 1e10))), "input.slab", "are they in Å"),
    "no atoms": (on_slab(arrays(SLAB, numbers=[], positions=[], tags=[])), "input.slab", "no atoms"),
    "too many atoms": (
        on_slab(arrays(Atoms("Pt401", positions=[[0, 0, 3 * n] for n in range(401)], cell=[5, 5, 1300], pbc=True))),
        "input.slab",
        "at most 398",
    ),
    "too many atoms of the adsorbate": (
        on_slab(
            arrays(SLAB),
            {"structure": arrays(Atoms("C401", positions=[[0, 0, 2 * n] for n in range(401)])), "binding": [0]},
        ),
        "input.adsorbate",
        "401 atoms",
    ),
    "no such atomic number": (on_slab(arrays(SLAB, numbers=[119] * 12)), "input.slab.numbers.0", "118"),
    "no such atomic number in a text": (on_slab(ase_json(numbers=[999])), "input.slab", "no elements"),
    "half an atomic number": (on_slab(ase_json(numbers=[78.5])), "input.slab", "whole number"),
    "an element that no member knows": (on_slab(text(slab("Au"))), "input.slab", "does not support Au"),
    "an element that one member lacks": (on_slab(text(slab("Cu"))), "input.slab", "beta does not support Cu"),
    "an adsorbate that one member lacks": (on_slab(text(SLAB), "*N"), "input.adsorbate", "beta does not support N"),
    "overlapping atoms": (as_adslab(arrays(ADSLAB, positions=TOUCHING)), "input.structure", "0.30 Å apart"),
    "overlapping images": (
        on_slab(arrays(Atoms("Pt2", positions=[[0, 0, 1], [4.8, 0, 1]], cell=[5, 5, 20], pbc=True))),
        "input.slab",
        "0.20 Å apart",
    ),
    "flat cell": (on_slab(arrays(SLAB, cell=FLAT)), "input.slab", "flat"),
    "cell without area": (on_slab(arrays(SLAB, cell=NO_AREA)), "input.slab", "no area"),
    "not periodic": (on_slab(arrays(SLAB, pbc=[True, False, False])), "input.slab", "set pbc for both"),
    "adsorbate up to the next slab": (
        as_adslab(arrays(ADSLAB, cell=LOW_CEILING)),
        "input.structure",
        "spans the vacuum",
    ),
    "adsorbate longer than the vacuum": (on_slab(text(slab(vacuum=3.0)), CHAIN), "input.slab", "would span it"),
    "no adsorbate": (as_adslab(arrays(SLAB)), "input.structure", "no atom is marked"),
    "nothing but adsorbate": (as_adslab(arrays(ADSLAB, tags=[2] * 14)), "input.structure", "every atom is marked"),
    "adsorbate below": (
        as_adslab(arrays(ADSLAB, positions=moved(ADSLAB.positions - UNDER), pbc=[True, True, False])),
        "input.structure",
        "below the middle",
    ),
    "a second layer that reads as adsorbate": (
        as_adslab(arrays(SLAB[4:], tags=[2] * 4 + [1] * 4)),
        "input.structure",
        "ASE's surface builders number layers",
    ),
    "nothing may move": (as_adslab(arrays(ADSLAB, fixed=[True] * 14)), "input.structure", "every atom is fixed"),
    "layer numbers as tags of an adslab": (
        as_adslab(arrays(layered())),
        "input.structure",
        "the tags count layers.*give adsorbate_indices, or OC20 tags, with 2 on its atoms",
    ),
    "tags of no known kind": (on_slab(arrays(SHUFFLED)), "input.slab", r"tags \[3, 5\] are not OC20 tags"),
    "tags that skip a layer": (on_slab(arrays(FOREIGN)), "input.slab", r"tags \[2, 3, 4\] are not OC20 tags"),
    "tags and indices that contradict": (
        as_adslab(arrays(ADSLAB), adsorbate_indices=[12]),
        "input.structure",
        "contradict each other: atoms 13 have tag 2",
    ),
    "nm": (
        on_slab(arrays(SLAB, positions=moved(SLAB.positions / 10), cell=(SLAB.cell.array / 10).tolist())),
        "input.slab",
        "0.28 Å apart.*are the coordinates in nm",
    ),
    "Bohr": (
        on_slab(arrays(SLAB, positions=moved(SLAB.positions / 0.529177), cell=(SLAB.cell.array / 0.529177).tolist())),
        "input.slab",
        "nearest are 5.24 Å apart: if they are in Bohr, it is 2.77 Å",
    ),
    "a molecule in Bohr": (
        on_slab(arrays(SLAB), WATER_IN_BOHR),
        "input.adsorbate",
        "if they are in Bohr, it is 0.96 Å",
    ),
    "fractions": (
        on_slab(arrays(SLAB, positions=SLAB.get_scaled_positions().tolist())),
        "input.slab",
        "are the coordinates fractions of the lattice vectors",
    ),
    "vacuum along the first vector": (
        on_slab(arrays(SLAB, cell=VACUUM_ALONG_A)),
        "input.slab",
        r"vacuum \(16\.0 Å\) lies along the first lattice vector.*in the order second, third, first",
    ),
    "vacuum along the second vector": (
        on_slab(arrays(SLAB, cell=VACUUM_ALONG_B)),
        "input.slab",
        "along the second lattice vector.*in the order third, first, second",
    ),
    "a slab as a bulk": (
        {"input": PROTOTYPE | {"bulk": arrays(SLAB)}},
        "input.bulk",
        "along its third lattice vector: is it a slab",
    ),
    "an adsorbate with a fixed atom": (
        on_slab(arrays(SLAB), HELD_MOLECULE),
        "input.adsorbate.structure",
        "fixed.*constraint off",
    ),
    "an atom fixed in two directions": (
        on_slab(arrays(SLAB, columns={"move_mask": [[1, 1, 1]] * 11 + [[0, 0, 1]]})),
        "input.slab",
        "atom 11: move_mask F F T fixes the atom along some directions only",
    ),
    "a column that is no flag": (
        on_slab(arrays(SLAB, columns={"fixed": [[2]] * 12})),
        "input.slab",
        "atom 0: fixed must be T or F",
    ),
    "fewer flags than atoms": (
        on_slab(arrays(SLAB, columns={"fixed": [[1]]})),
        "input.slab.columns.fixed",
        "don't match",
    ),
    "an adsorbate in the slab": (on_slab(arrays(ADSLAB)), "input.slab", "leave the adsorbate out"),
    "tags that are no whole numbers": (on_slab(extxyz("Pt 0 0 0 0.5", ":tags:R:1")), "input.slab", "whole number"),
    "tags that are no numbers": (on_slab(extxyz("Pt 0 0 0 nan", ":tags:R:1")), "input.slab", "whole number"),
    "three tags for an atom": (on_slab(extxyz("Pt 0 0 0 0 0 0", ":tags:I:3")), "input.slab", "whole number"),
    "tags beyond every number": (on_slab(arrays(SLAB, tags=[10**30] * 12)), "input.slab.tags.0", "less than"),
    "fewer tags than atoms": (on_slab(arrays(SLAB, tags=[0])), "input.slab.tags", "don't match"),
    "indices beyond the atoms": (
        as_adslab(arrays(ADSLAB), adsorbate_indices=[13, 14]),
        "input.adsorbate_indices",
        "below 14",
    ),
    "binding atoms of the slab": (as_adslab(arrays(ADSLAB), binding=[0]), "input.binding", "not adsorbate atoms"),
    "binding atoms beyond the adsorbate": (
        on_bulk(adsorbate=CHAIN | {"binding": [5]}),
        "input.adsorbate.binding",
        "5 atoms",
    ),
    "unknown adsorbate": (on_bulk(adsorbate="*C0"), "input.adsorbate", r"did you mean .*\*CO"),
    "adsorbate beyond the references": (
        on_bulk(adsorbate={"structure": arrays(Atoms("Pt", cell=[[0, 0, 0]] * 3)), "binding": [0]}),
        "input.adsorbate",
        "gas references",
    ),
    "unsupported constraint": (
        on_slab(ase_json(constraints=[{"name": "FixBondLength", "kwargs": {}}])),
        "input.slab",
        "a constraint fixes a distance: only whole atoms can be fixed",
    ),
}

REQUESTS: dict[str, tuple[Any, str, str]] = {
    "Miller index of zeros": (on_bulk(miller=[0, 0, 0]), "input.miller", r"must not be \(0, 0, 0\)"),
    "Miller index too high": (on_bulk(miller=[9, 1, 1]), "input.miller", "±8"),
    "two Miller indices": (on_bulk(miller=[1, 1]), "input.miller", "three whole numbers such as .*, not 2"),
    "a Miller index as text": (on_bulk(miller="1-10"), "input.miller", r"as a list of numbers: \[1, -1, 0\]"),
    "four indices of a cubic crystal": (on_bulk(miller=[1, 0, -1, 0]), "input.miller", "are of a hexagonal cell"),
    "four indices that contradict": (
        on_bulk(bulk={"element": "Pt", "crystal": "hcp", "a": 2.8}, miller=[1, 0, 0, 0]),
        "input.miller",
        r"\(1 0 0 0\) would need i = -1",
    ),
    "a bulk of no element": (on_bulk(bulk={"element": "Xx"}), "input.bulk", "Xx is no element"),
    "a bulk without lattice data": (
        on_bulk(bulk={"element": "H"}),
        "input.bulk",
        "lattice of H is not known: give crystal",
    ),
    "a lattice without its constant": (
        on_bulk(bulk={"element": "Pt", "crystal": "bcc"}),
        "input.bulk",
        "lattice of Pt as bcc is not known: give crystal .* and a",
    ),
    "a prototype of another number of elements": (
        on_bulk(bulk={"prototype": "perovskite", "elements": ["Ti", "O"], "a": 3.9}),
        "input.bulk.elements",
        "perovskite is ABX3: give its 3 elements in this order, not 2",
    ),
    "a prototype without its lattice constants": (
        on_bulk(bulk={"prototype": "rutile", "elements": ["Ti", "O"], "a": 4.6}),
        "input.bulk.c",
        "rutile needs a and c in Å, and c is missing",
    ),
    "a prototype with a constant that it hasn't": (
        on_bulk(bulk={"prototype": "rocksalt", "elements": ["Mg", "O"], "a": 4.2, "c": 4.2}),
        "input.bulk.c",
        "rocksalt has no c: leave it out",
    ),
    "a prototype of no element": (
        on_bulk(bulk={"prototype": "B2", "elements": ["Cs", "Xx"], "a": 4.1}),
        "input.bulk.elements",
        "Xx is no element",
    ),
    "an unknown prototype": (
        on_bulk(bulk={"prototype": "spinel", "elements": ["Mg", "O"], "a": 4.1}),
        "input.bulk.prototype",
        "rocksalt",
    ),
    "a bulk of an unsupported element": (on_bulk(bulk={"element": "Ag"}), "input.bulk", "does not support Ag"),
    "a slab too wide": (on_bulk(min_width=40, min_depth=40), "input.min_width", "lower min_width"),
    "vacuum too thin": (on_bulk(vacuum=1), "input.vacuum", "10"),
    "unknown search member": (
        steered(ensemble={"search_members": ["gamma"]}),
        "parameters.ensemble.search_members",
        "unknown member gamma; registered are alpha, beta, direct",
    ),
    "unknown scoring members": (
        steered(ensemble={"score_members": ["alpha", "gamma", "delta"]}),
        "parameters.ensemble.score_members",
        "unknown members gamma, delta",
    ),
    "too many walkers": (
        steered(placement={"count": 251}, ensemble={"search_members": ["alpha", "beta"]}),
        "parameters.placement.count",
        "502 walkers",
    ),
    "an unknown parameter": (steered(hopping={"hop": 3}), "parameters.hopping.hop", "did you mean hopping.hops"),
    "an unknown field": (BULK_JOB | {"user": "someone"}, "user", "no field of this name"),
    "an unknown field of the input": (on_bulk(slab={}), "input.slab", "no field of this name"),
    "a parameter that is NaN": (steered(hopping={"fmax": NAN}), "parameters.hopping.fmax", "finite"),
    "temperatures that contradict": (
        steered(hopping={"temperature_k": 2000, "max_temperature_k": 1000}),
        "parameters",
        "below temperature_k",
    ),
    "a field of the input that is misspelt": (on_bulk(min_widht=3), "input.min_widht", "did you mean min_width"),
    "a field of the structure that is misspelt": (
        on_slab(arrays(SLAB, postions=[])),
        "input.slab.postions",
        "did you mean positions",
    ),
    "a field of the request that is misspelt": (BULK_JOB | {"paramters": {}}, "paramters", "did you mean parameters"),
    "a text where a structure belongs": (on_slab("Pt"), "input.slab", 'must be a structure: {"format": "poscar"'),
    "an element where a bulk belongs": (on_bulk(bulk="Pt"), "input.bulk", 'must be {"element": "Pt"}, or a structure'),
    "no adsorbate at all": (
        {"input": {key: value for key, value in PROTOTYPE.items() if key != "adsorbate"}},
        "input.adsorbate",
        r"is missing: an OC20 name such as \*CO",
    ),
    "no format": (on_slab({"text": ""}), "input.slab", "format is missing; there are extxyz, cif, poscar"),
    "a number as text": (on_bulk(vacuum="lots"), "input.vacuum", "must be a number"),
    "lengths where lattice vectors belong": (
        on_slab(arrays(SLAB, cell=[5, 5, 20])),
        "input.slab.cell.0",
        "three lattice vectors of three numbers each",
    ),
    "an unknown kind of input": ({"input": {"kind": "crystal"}}, "input", "kind"),
    "an unknown format": (on_slab({"format": "pickle", "text": ""}), "input.slab", "format"),
    "no input": ({}, "input", "is missing"),
    "a name with a NUL": (BULK_JOB | {"name": "a\0b"}, "name", "character 2 is U.0000"),
    "a name too long": (BULK_JOB | {"name": "a" * 201}, "name", "200"),
    "a list": ([BULK_JOB], "body", "an object with named fields"),
}
CASES = STRUCTURES | REQUESTS


def stored(service: Any) -> int:
    with service.opened() as session:
        return session.scalars(select(func.count()).select_from(Job)).one()


@pytest.mark.parametrize(("body", "field", "reason"), CASES.values(), ids=CASES.keys())
def test_a_refusal_names_its_place_and_reason_and_stores_nothing(service, client, body, field, reason):
    before = stored(service)
    answer = client.post("/v1/jobs", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["title"]) == (422, "Unprocessable Entity")
    assert problem["field"] == field, problem
    assert re.search(reason, problem["detail"]), problem
    assert stored(service) == before


def test_what_lies_just_inside_the_limits_is_stored(service, client):
    before = stored(service)
    for body in (
        on_bulk(miller=[8, 1, 1], min_depth=3, min_width=3),
        steered(placement={"count": 250}, ensemble={"search_members": ["alpha", "beta"]}),
        as_adslab(arrays(ADSLAB, tags=[0] * 14), adsorbate_indices=[12, 13], binding=[12]),
        BULK_JOB | {"name": "CO – Pt, für später"},
    ):
        answer = client.post("/v1/jobs", json=body)
        assert answer.status_code == 201, answer.text
    assert stored(service) == before + 4


def test_every_wrong_field_is_listed(client):
    problem = client.post("/v1/jobs", json=on_bulk(miller=[1, 1], vacuum=1) | {"priority": 1000}).json()
    assert {"input.miller", "input.vacuum", "priority"} <= {error["field"] for error in problem["errors"]}


def test_the_values_sent_are_not_echoed(client):
    answer = client.post("/v1/jobs", json=BULK_JOB | {"name": ["a secret"]})
    assert answer.status_code == 422
    assert "a secret" not in answer.text


def test_a_default_member_that_no_worker_registered_is_the_servers_state(make_database):
    with serving(make_database(), f"redis://127.0.0.1:{closed_port()}/0") as bare, bare.client() as client:
        bare.register(ALPHA)
        answer = client.post("/v1/jobs", json=BULK_JOB)
        assert answer.status_code == 503
        assert "default member beta" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) > 0
        assert stored(bare) == 0
        named = BULK_JOB | {"parameters": {"ensemble": {"score_members": ["alpha"]}}}
        assert client.post("/v1/jobs", json=named).status_code == 201


@pytest.mark.parametrize(("body", "field", "reason"), CASES.values(), ids=CASES.keys())
def test_a_refusal_speaks_of_no_class_or_schema(client, body, field, reason):
    answer = client.post("/v1/jobs", content=json.dumps(body), headers={"Content-Type": "application/json"})
    strange = r"pydantic|discriminator|Input tag|Extra inputs|Field required|Input should|String should|List should|Fix[A-Z]\w+|numpy"
    for said in [answer.json()["detail"], *(error["message"] for error in answer.json().get("errors", []))]:
        assert not re.search(strange, said), said
