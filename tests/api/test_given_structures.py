"""Many structures of one system: every way in, what is stored, and what is refused with the structure that is at fault."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import UUID

import adhop
import numpy as np
import pytest
from adhop import submission
from adhop.cli import app
from ase import Atoms
from ase.constraints import FixAtoms
from ase.io import write
from pymatgen.io.ase import AseAtomsAdaptor
from typer.testing import CliRunner

from api.jobs.estimate import CALLS_PER_RELAXATION
from shared.database.tables import GivenStructures, Job, StageRow
from shared.given import Given
from shared.submissions import StructuresSubmission, given_order
from tests.api.conftest import ALPHA, BETA, serving
from tests.api.structures import adslab, arrays, slab, text


def several(count: int = 4) -> list[Atoms]:
    """CO on top, moved along the surface a little further each time."""
    made = []
    for index in range(count):
        one = adslab()
        one.positions[-2:, 0] += 0.25 * index
        one.info["label"] = f"site {index}"
        made.append(one)
    return made


def frames(atoms: list[Atoms]) -> dict[str, Any]:
    written = StringIO()
    write(written, atoms, format="extxyz")
    return {"format": "extxyz", "text": written.getvalue()}


def body(*structures: Any, **more: Any) -> dict[str, Any]:
    given = structures or (frames(several()),)
    parameters = more.pop("parameters", {})
    return {"input": {"kind": "structures", "structures": list(given), **more}, "parameters": parameters}


def stored(service: Any, job: dict[str, Any]) -> tuple[Job, Given]:
    with service.opened() as session:
        row = session.get_one(Job, UUID(job["id"]))
        given = session.get_one(GivenStructures, row.id)
        assert [stage.work for stage in session.query(StageRow).filter_by(job_id=row.id)] == ["placement"]
        return row, Given.unpacked(given.labels, given.positions)


def accepted(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/v1/jobs", json=request)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(client: Any, request: dict[str, Any]) -> tuple[str, str]:
    for path in ("/v1/jobs", "/v1/systems"):
        answer = client.post(path, json=request)
        assert answer.status_code == 422, answer.text
    problem = answer.json()
    return problem["field"], problem["detail"]


def test_frames_are_stored_with_their_names_and_to_the_last_digit(service, client):
    job = accepted(client, body())
    row, given = stored(service, job)
    assert given.labels == ("site 0", "site 1", "site 2", "site 3")
    assert np.allclose(given.positions, [one.positions for one in several()], atol=1e-8)
    kept = StructuresSubmission.model_validate(row.submission)
    assert (kept.count, kept.relax, kept.slab) == (4, "none", None)
    assert kept.content == given.digest
    assert (job["adsorbate"], job["surface"]) == ("CO", "Pt12")
    assert (row.search_members, row.refine_members, row.score_members) == (["alpha"], [], ["alpha", "beta"])
    assert row.read_parameters().hopping.hops == 0
    assert row.estimated_force_calls == 4 + 4 * 2
    assert job["warnings"] == []


@pytest.mark.parametrize("form", ["extxyz", "poscar", "arrays"])
def test_a_list_of_texts_or_arrays_is_the_same_as_frames(service, client, form):
    atoms = several()
    if form == "arrays":
        given = [arrays(one, fixed=[True] * 4 + [False] * 10) for one in atoms]
    else:
        given = [text(one, form) for one in atoms]
    named = {"labels": [f"site {index}" for index in range(4)]}
    indices = {"adsorbate_indices": [12, 13]}  # a POSCAR knows no tags
    first, one = stored(service, accepted(client, body(*given, **named, **indices)))
    second, other = stored(service, accepted(client, body(**indices)))
    assert one.labels == other.labels
    assert np.allclose(one.positions, other.positions, atol=1e-8)
    assert first.submission["structure"]["fixed"] == second.submission["structure"]["fixed"]
    assert sum(first.submission["structure"]["fixed"]) == 4


def test_names_come_from_the_request_or_the_text_or_are_numbers(service, client):
    _, given = stored(service, accepted(client, body(labels=["a", "b", "c", "d"])))
    assert given.labels == ("a", "b", "c", "d")
    unnamed = several()
    del unnamed[2].info["label"]
    _, given = stored(service, accepted(client, body(frames(unnamed))))
    assert given.labels == ("0", "1", "2", "3")
    alike = several()
    for one in alike:
        one.info = {"name": "CO"}
    _, given = stored(service, accepted(client, body(frames(alike))))
    assert given.labels == ("CO #0", "CO #1", "CO #2", "CO #3")
    strange = several(1)
    strange[0].info["label"] = "a\x1b[31mred"
    _, given = stored(service, accepted(client, body(frames(strange))))
    assert given.labels == ("a\\x1b[31mred",)


def test_python_and_the_command_line_send_the_same(service, client, tmp_path, monkeypatch):
    key, atoms = service.key(), several()
    for one in atoms:
        one.rattle(0.01)
    path = tmp_path / "sites.extxyz"
    write(path, atoms)
    with adhop.Client(service.url, key) as user:
        row, given = stored(service, user.submit(structures=atoms).body)
        assert (given.positions == np.array([one.positions for one in atoms])).all(), "to the last bit"
        assert given.labels == ("site 0", "site 1", "site 2", "site 3")
        crystals = [AseAtomsAdaptor.get_structure(one) for one in atoms]
        _, same = stored(
            service, user.submit(structures=crystals, labels=list(given.labels), adsorbate_indices=[12, 13]).body
        )
        assert np.allclose(same.positions, given.positions, atol=1e-9)
        write(tmp_path / "slab.extxyz", slab())
        asked = {"structures": str(path), "slab": tmp_path / "slab.extxyz", "relax": "score", "name": "sites"}
        with_slab = user.submit(**asked).body
        monkeypatch.setenv("ADHOP_URL", service.url)
        monkeypatch.setenv("ADHOP_KEY", key)
        command = ["submit", "--structures", str(path), "--slab", str(tmp_path / "slab.extxyz"), "--relax", "score"]
        ran = CliRunner().invoke(app, [*command, "--name", "sites"])
        assert ran.exit_code == 0, ran.output
        first, one = stored(service, with_slab)
        second, other = stored(service, user.job(ran.stdout.split()[0]).body)
    assert (one.labels, one.digest) == (other.labels, other.digest)
    assert first.submission == second.submission
    assert sum(row.submission["structure"]["fixed"]) == 4


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"structures": []}, "there are no structures"),
        ({"structures": [1]}, "int is no structure"),
        ({"adslab": adslab(), "relax": "score"}, "relax is of structures to be scored, and none are given"),
        ({"structures": [adslab()], "adsorbate": "*CO"}, "adsorbate is of a search"),
        ({"structures": [adslab()], "bulk": "Pt"}, "give exactly one of"),
    ],
)
def test_the_client_says_what_does_not_go_together(asked, said):
    with pytest.raises(adhop.AdhopError, match=said):
        submission.body(**asked)


def test_what_is_simplified_is_said(client):
    atoms = several()
    for one in atoms:
        one.info["charge"], one.info["energy"] = 1, -3.0
    job = accepted(
        client, body(frames(atoms), parameters={"placement": {"count": 7}, "hopping": {"hops": 3, "fmax": 0.03}})
    )
    said = " ".join(job["warnings"])
    assert "charge; the members compute neutral systems" in said
    assert "structures: not used: energy" in said
    assert "not used, since nothing is searched: placement.count, hopping.hops" in said


def test_who_relaxes_is_who_works(service, client):
    row, _ = stored(service, accepted(client, body(relax="score", parameters={"ensemble": {"score_steps": 50}})))
    assert (row.search_members, row.estimated_force_calls) == (["alpha"], 4 + 4 * 2 * 51)
    ensemble = {"search_members": ["beta"], "refine_members": ["alpha"]}
    row, _ = stored(service, accepted(client, body(relax="search", parameters={"ensemble": ensemble})))
    assert (row.search_members, row.refine_members) == (["beta"], ["alpha"])
    assert row.estimated_force_calls == 4 * CALLS_PER_RELAXATION + 4 * 2 * 11
    for role in ("search_members", "refine_members"):
        field, why = refused(client, body(relax="score", parameters={"ensemble": {role: ["beta"]}}))
        assert field == f"parameters.ensemble.{role}"
        assert "set input.relax to `search`" in why


def test_the_clean_slab_goes_with_them(service, client):
    clean = slab()
    clean.positions += 0.01
    row, _ = stored(service, accepted(client, body(slab=text(clean))))
    kept = StructuresSubmission.model_validate(row.submission)
    assert kept.slab_as_given
    assert kept.slab is not None
    assert np.allclose(kept.slab["positions"], clean.positions, atol=1e-8)
    assert kept.slab["tags"] == kept.structure["tags"][:12], "roles are the structures'"
    relaxed, _ = stored(service, accepted(client, body(slab=text(clean), relax="score")))
    assert not StructuresSubmission.model_validate(relaxed.submission).slab_as_given


def test_energies_relative_to_a_slab_as_given_are_not_mixed_with_predicted_ones(client):
    mixed = {"ensemble": {"score_members": ["alpha", "direct"]}}
    field, why = refused(client, body(slab=text(slab()), parameters=mixed))
    assert field == "input.slab"
    assert why.startswith("direct predicts energies relative to a relaxed clean slab")
    for members, statement in ((["alpha"], "clean slab as given + CO(g)"), (["direct"], "relaxed clean slab + CO(g)")):
        request = body(slab=text(slab()), parameters={"ensemble": {"score_members": members}})
        (shown,) = client.post("/v1/systems", json=request).json()["references"]
        assert shown["statement"].startswith(statement)
        assert ("clean slab" in shown["relaxed"]) == (members == ["direct"])


def test_what_was_understood_is_shown_before_and_after(client):
    request = body()
    shown = client.post("/v1/systems", json=request).json()
    assert (shown["kind"], len(shown["placements"]), shown["stored"]) == ("structures", 1, False)
    assert (shown["cost"]["walkers"], shown["cost"]["force_calls"]) == (4, 12)
    assert shown["order"]["adsorbate"] == [12, 13]
    job = accepted(client, request)
    after = client.get(f"/v1/jobs/{job['id']}/system").json()
    assert after["digest"] == shown["digest"]
    assert client.post("/v1/systems", json=request, params={"format": "png"}).content.startswith(b"\x89PNG")


def changed(change: Callable[[list[Atoms]], None]) -> dict[str, Any]:
    atoms = several()
    change(atoms)
    return body(frames(atoms))


def _swap(atoms: list[Atoms]) -> None:
    atoms[2] = atoms[2][[*range(12), 13, 12]]


def _another(atoms: list[Atoms]) -> None:
    atoms[2].numbers[13] = 7


def _wider(atoms: list[Atoms]) -> None:
    atoms[3].cell[0, 0] += 0.01


def _marked(atoms: list[Atoms]) -> None:
    tags = atoms[1].get_tags()
    tags[8:12] = 0
    atoms[1].set_tags(tags)


def _freed(atoms: list[Atoms]) -> None:
    atoms[1].set_constraint(FixAtoms([0]))


def _together(atoms: list[Atoms]) -> None:
    atoms[2].positions[13] = atoms[2].positions[12] + [0, 0, 0.2]


def _nowhere(atoms: list[Atoms]) -> None:
    atoms[2].positions[13, 0] = np.nan


def _across(atoms: list[Atoms]) -> None:
    atoms[3].positions[13, 2] += 12.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_swap, "frame 2 (site 2) has its atoms in another order than the first one"),
        (_another, "frame 2 (site 2) is NOPt12, the first one COPt12"),
        (_wider, "frame 3 (site 3) has another cell than the first one"),
        (_marked, "frame 1 (site 1) marks other atoms, by tags or as fixed, than the first one"),
        (_freed, "frame 1 (site 1) marks other atoms, by tags or as fixed, than the first one"),
        (_together, "structure 2 (site 2): atoms 12 and 13 are 0.20 Å apart"),
        (_nowhere, "structure 2 (site 2): the coordinates of atoms [13] are not finite numbers"),
        (_across, "structure 3 (site 3): the adsorbate spans the vacuum"),
    ],
)
def test_a_structure_that_is_at_fault_is_named(client, change, said):
    field, why = refused(client, changed(change))
    assert field.startswith("input.structures")
    assert said in why


def test_texts_of_another_system_are_named(client):
    atoms = several(3)
    atoms[1].cell[2, 2] += 1.0
    field, why = refused(client, body(*map(text, atoms)))
    assert field == "input.structures.1"
    assert "another cell than the first" in why


@pytest.mark.parametrize(
    ("more", "field", "said"),
    [
        ({"labels": ["a"]}, "input.labels", "1 labels for 4 structures"),
        ({"labels": ["a", "b", "b", "c"]}, "input.labels", "2 structures are called 'b'"),
        ({"labels": ["a", "b", "c", "d\x1b"]}, "input.labels.3", "can't be seen"),
        ({"relax": "all"}, "input.relax", "'none', 'score' or 'search'"),
        ({"relaxed": True}, "input.relaxed", "did you mean relax?"),
        ({"slab": text(slab("Cu"))}, "input.slab", "not the structures' slab atoms, by Cu12"),
        ({"slab": text(slab()[[1, 0, *range(2, 12)]])}, None, None),
        ({"slab": text(slab(vacuum=9.0))}, "input.slab", "another cell than the structures"),
        ({"adsorbate_indices": [3]}, None, "contradict"),
    ],
)
def test_what_does_not_fit_the_structures_is_refused(client, more, field, said):
    if said is None:  # two platinum atoms that changed places are no other order that could be seen
        accepted(client, body(**more))
        return
    where, why = refused(client, body(**more))
    assert field in (None, where)
    assert said in why


def test_the_list_may_not_be_empty_nor_longer_than_the_server_allows(client, make_database, service):
    request = {"input": {"kind": "structures", "structures": []}}
    field, why = refused(client, request)
    assert (field, "at least 1" in why) == ("input.structures", True)
    with serving(make_database(), "redis://127.0.0.1:1/0", max_structures_per_job=3) as small:
        small.register(ALPHA, BETA)
        with small.client() as other:
            field, why = refused(other, body())
            assert field == "input.structures"
            assert "4 structures are too many for one job: at most 3" in why
            accepted(other, body(frames(several(3))))


def test_the_order_given_is_kept_in_mind(service, client):
    atoms = [one[[12, 13, *range(12)]] for one in several()]
    row, given = stored(service, accepted(client, body(frames(atoms))))
    assert np.allclose(given.positions[1], atoms[1].positions, atol=1e-8)
    assert given_order(row.submission) == (12, 13, *range(12))


def test_the_same_request_again_is_the_same_job(client):
    headers = {"Idempotency-Key": "again"}
    first = client.post("/v1/jobs", json=body(), headers=headers)
    second = client.post("/v1/jobs", json=body(), headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    other = client.post("/v1/jobs", json=body(relax="score"), headers=headers)
    assert other.status_code == 409
