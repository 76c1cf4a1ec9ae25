"""`adhop show` and the client's System against the real front end."""

import json
from inspect import signature

import numpy as np
import pytest
from adhop import AdhopError, Client, RequestRefused
from adhop.show import show
from adhop.submit import submit
from ase.io import read, write

from tests.api.structures import adslab, slab


@pytest.fixture
def client(service):
    with Client(service.url, service.key(name="terminal")) as made:
        yield made


FEW = {"placement": {"count": 4}, "hopping": {"hops": 2, "walkers": 2}}


def test_a_submission_is_understood_as_the_job_is(client):
    asked = {"slab": slab(), "adsorbate": "*CO", "parameters": FEW}
    shown = client.system(**asked)
    assert not list(client.jobs(limit=1))
    job = client.submit(**asked)
    assert job.system().body == shown.body | {"job": job.id}
    assert len(shown) == 4
    assert shown.warnings == shown.body["warnings"]
    assert repr(shown) == "System(*CO on Pt12, 4 placements)"


def test_slab_and_placements_are_atoms(client):
    shown = client.system(slab=slab(), adsorbate="*CO", parameters=FEW)
    assert shown.slab.get_chemical_formula() == "Pt12"
    assert shown.slab.constraints[0].index.tolist() == slab().constraints[0].index.tolist()
    for atoms, one in zip(shown.placements, shown.body["placements"], strict=True):
        assert atoms.info == {key: one[key] for key in ("index", "site", "method")}
        assert atoms.get_tags().tolist() == [0] * 8 + [1] * 4 + [2, 2]
        np.testing.assert_array_equal(atoms.positions[:12], shown.slab.positions)


def test_it_is_written_to_files_by_their_names(client, tmp_path):
    shown = client.system(slab=slab(), adsorbate="*CO", parameters=FEW)
    frames = read(shown.write(tmp_path / "a.extxyz"), index=":")
    assert [atoms.info["what"] for atoms in frames] == ["clean slab"] + ["placement"] * 4
    np.testing.assert_allclose(frames[2].positions, shown.placements[1].positions, atol=1e-7)
    assert shown.write(tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert json.loads(shown.write(tmp_path / "a.json").read_text()) == shown.body
    with pytest.raises(AdhopError, match=r"a\.txt: use \.extxyz"):
        shown.write(tmp_path / "a.txt")


def test_what_a_job_would_be_refused_for_is_refused_in_the_same_words(client):
    wrong = {"slab": slab(), "adsorbate": "*COO"}
    with pytest.raises(RequestRefused) as shown:
        client.system(**wrong)
    with pytest.raises(RequestRefused) as submitted:
        client.submit(**wrong)
    assert str(shown.value) == str(submitted.value)
    with pytest.raises(TypeError, match="slaab"):
        client.system(slaab=slab(), adsorbate="*CO")


def test_the_command_shows_what_was_understood(adhop, client, tmp_path):
    write(tmp_path / "slab.extxyz", slab())
    code, said, errors = adhop(
        "show", "--slab", tmp_path / "slab.extxyz", "--adsorbate", "*CO", "--placements", 4, "--hops", 2
    )
    assert code == 0, errors
    for part in (
        "Pt12, 12 atoms",
        "16.0 Å of vacuum",
        "surface atoms",
        "4: 8-11",
        "4: 0-3; 8 of the slab are free",
        "*CO (CO), binding by C 0",
        "reference (alpha, beta)",
        "relaxed clean slab + CO(g), by each member's own molecules; each relaxes clean slab, CO(g)",
        "search alpha; score alpha, beta",
        "4 walkers, 12 hops at most",
        "no surface layer was marked",
        "4, as a job would get them",
    ):
        assert part in said, part


def test_the_command_shows_a_job_and_writes_files(adhop, client, tmp_path):
    job = client.submit(adslab=adslab(), parameters=FEW)
    code, said, errors = adhop("show", job.id)
    assert code == 0, errors
    assert "submitted" in said
    assert "order inside" not in said
    assert adhop("show", job.id, "-o", tmp_path / "a.png") == (0, f"wrote {tmp_path / 'a.png'}", "")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    code, _, errors = adhop("show", job.id, "-o", tmp_path / "a.vasp")
    assert (code, "use .extxyz, .json, .png, .xyz" in errors) == (1, True)


def test_the_atoms_of_a_shuffled_adslab_are_named_as_given(adhop, tmp_path):
    atoms = adslab()[[12, *range(6), 13, *range(6, 12)]]  # O and C at 0 and 7
    write(tmp_path / "a.extxyz", atoms)
    code, said, errors = adhop("show", "--adslab", tmp_path / "a.extxyz", "--placements", 2)
    assert code == 0, errors
    assert "binding by O 0" in said
    assert "slab first: atoms 1-6, 8-13, 0, 7 as given" in said
    assert "4: 10-13" in said  # the surface


def test_either_a_job_or_a_submission(adhop):
    for words in (("show",), ("show", "some-id", "--hops", "2")):
        code, said, errors = adhop(*words)
        assert (code, said) == (1, "")
        assert "give a job's id, or a submission as `adhop submit` takes it" in errors


def test_show_takes_the_options_that_say_what_is_submitted():
    own = set(signature(show).parameters)
    assert set(signature(submit).parameters) - own == {"name", "priority", "wait"}
    assert own - set(signature(submit).parameters) == {"job_id", "output"}
