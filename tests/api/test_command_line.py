"""The command line against the real front end: every option of a submission, and what is said where one is wrong."""

import json
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from ase.build import molecule
from ase.io import write

from shared.database.tables import Job
from tests.api.structures import slab


def stored(service, answer: tuple[int, str, str]) -> Job:
    code, job_id, errors = answer
    assert code == 0, errors
    with service.opened() as session:
        return session.get_one(Job, UUID(job_id))


CUT = ("submit", "--bulk", "Pt", "--adsorbate", "*CO")


def test_every_option_of_a_submission_is_reached(service, adhop, tmp_path):
    (tmp_path / "own.json").write_text(json.dumps({"hopping": {"walkers": 3, "hops": 9}, "seed": 1, "max_wall_s": 60}))
    job = stored(
        service,
        adhop(
            *CUT, "--miller", "111", "--termination", "0", "--bottom", "--min-depth", "5", "--min-width", "6",
            "--vacuum", "15", "--crystal", "fcc", "--a", "4.0",
            "--parameters", tmp_path / "own.json", "--placements", "5", "--mode", "random_site_heuristic", "--hops", "7",
            "--search-members", "beta", "--score-members", "alpha, beta", "--refine-members", "alpha",
            "--spread", "range", "--limit", "0.2", "--count", "2", "--window", "0.5",
            "--set", "hopping.temperature_k=1500", "--set", "selection.include_anomalous=true",
            "--set", "hopping.masses=atomic", "--set", "seed=4", "--name", "Pt [red](111)[/]", "--priority", "-3",
        ),
    )  # fmt: skip
    cut = job.submission
    assert (cut["miller"], cut["termination"], cut["top"]) == ([1, 1, 1], 0, False)
    assert (cut["min_depth"], cut["min_width"], cut["vacuum"]) == (5, 6, 15)
    assert abs(np.linalg.det(cut["cell"])) / len(cut["numbers"]) == pytest.approx(4.0**3 / 4)
    found = job.read_parameters()
    assert (found.placement.count, found.placement.mode) == (5, "random_site_heuristic")
    assert (found.hopping.walkers, found.hopping.hops, found.hopping.temperature_k) == (3, 7, 1500)
    assert (found.hopping.masses, found.seed, found.max_wall_s) == ("atomic", 4, 60)
    assert (found.ensemble.spread, found.ensemble.limit) == ("range", 0.2)
    assert (found.selection.count, found.selection.window, found.selection.include_anomalous) == (2, 0.5, True)
    assert (job.search_members, job.refine_members, job.score_members) == (["beta"], ["alpha"], ["alpha", "beta"])
    assert (job.name, job.priority) == ("Pt [red](111)[/]", -3)
    assert "Pt [red](111)[/]" in " ".join(adhop("jobs")[1].split())  # a name is never a style


def test_prototypes_and_conventional_cells_are_reached(service, adhop):
    job = stored(
        service,
        adhop(
            "submit", "--prototype", "rutile", "--elements", "Ti,O", "--a", "4.59", "--c", "2.96", "--u", "0.31",
            "--miller", "1,1,0", "--conventional", "--adsorbate", "*O", "--score-members", "direct", "--search-members", "direct",
        ),
    )  # fmt: skip
    assert sorted(job.submission["numbers"]) == [8, 8, 8, 8, 22, 22]
    assert job.submission["conventional"] is True
    zinc = adhop(
        "show",
        "--bulk",
        "Pt",
        "--crystal",
        "hcp",
        "--a",
        "2.8",
        "--c",
        "4.6",
        "--miller",
        "0,0,0,1",
        "--adsorbate",
        "*CO",
    )
    assert zinc[0] == 0, zinc[2]
    code, _, why = adhop("submit", "--prototype", "rutile", "--miller", "110", "--adsorbate", "*CO")
    assert (code, "a prototype needs its elements" in why) == (1, True)


@pytest.mark.parametrize("index", ["110", "1,1,0", "1 1 0", "(1 1 0)", "1, 1, 0"])
def test_miller_indices_are_written_in_many_ways(service, adhop, index):
    assert stored(service, adhop(*CUT, "--miller", index)).submission["miller"] == [1, 1, 0]


def test_negative_and_hexagonal_indices(service, adhop):
    assert stored(service, adhop(*CUT, "--miller", "-1,1,0")).submission["miller"] == [-1, 1, 0]
    assert stored(service, adhop(*CUT, "--miller", "1-10")).submission["miller"] == [1, -1, 0]
    code, _, why = adhop(*CUT, "--miller", "1,1,1,0")
    assert code == 1
    assert "i = -(h + k)" in why or "-2" in why


@pytest.mark.parametrize(
    ("name", "form"), [("POSCAR", "vasp"), ("CONTCAR.3", "vasp"), ("water", "xyz"), ("w.vasp", "vasp")]
)
def test_files_are_known_by_their_name_or_their_content(service, adhop, tmp_path, monkeypatch, name, form):
    monkeypatch.chdir(tmp_path)
    water = molecule("H2O", vacuum=4.0)
    water.pbc = True
    write(name, water, format=form)
    bare = slab()
    bare.set_constraint()
    write("slab", bare, format="vasp")
    job = stored(service, adhop("submit", "--slab", "slab", "--adsorbate", name, "--binding", "0"))
    assert sorted(job.submission["adsorbate"]["numbers"]) == [1, 1, 8]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((*CUT, "--miller", "1,x,1"), "a Miller index is written 1,1,1 or 111, not '1,x,1'"),
        (CUT, "a bulk needs its Miller index"),
        ((*CUT, "--miller", "111", "--termination", "x"), "'--termination': give a whole number"),
        ((*CUT, "--miller", "111", "--mode", "best"), "'best' is not one of 'heuristic'"),
        ((*CUT, "--miller", "111", "--set", "hopping.hop=3"), "hop: there is no field of this name: did you mean hopping.hops?"),
        ((*CUT, "--miller", "111", "--set", "hopping.hops=many"), "hopping.hops: must be a whole number"),
        ((*CUT, "--miller", "111", "--set", "seed.x=3", "--seed", "1"), "seed is a value there"),
        ((*CUT, "--miller", "111", "--set", "hops"), "give NAME=VALUE such as hopping.hops=20"),
        ((*CUT, "--miller", "111", "--limit", "wide"), "--limit 'wide': give a number"),
        ((*CUT, "--miller", "111", "--parameters", "absent.json"), "absent.json can't be read: No such file"),
        ((*CUT, "--miller", "111", "--adsorbate-indices", "1"), "adsorbate_indices is of an adslab, and none is given"),
        ((*CUT, "--miller", "111", "--binding", "0"), "binding is of a molecule of one's own"),
        (("submit", "--slab", "absent.cif", "--adsorbate", "*CO"), "absent.cif can't be read"),
        (("submit", "--slab", "absent.cif", "--adsorbate", "*CO", "--vacuum", "12"), "vacuum is of the cut of a bulk"),
        (("submit", "--adslab", "a.cif", "--adsorbate-indices", "one"), "--adsorbate-indices 'one': give atoms by their indices"),
        (("submit", "--adsorbate", "*CO"), "give exactly one of adslab, structures, slab and bulk (or a prototype)"),
        (("submit", "--frob"), "No such option: --frob"),
        (("frob",), "No such command 'frob'"),
        (("minima",), "Missing argument"),
        (("minima", "00000000-0000-0000-0000-000000000000"), "there is no job"),
        (("feed", "absent.csv"), "absent.csv can't be read: No such file"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_one_line_in_plain_words(adhop, words, why):
    code, output, errors = adhop(*words)
    assert code in (1, 2)
    assert output == ""
    assert errors.startswith("adhop: ")
    assert why in errors
    assert "\n" not in errors
    for strange in ("pydantic", "Traceback", "Error(", "Extra inputs", "Input should"):
        assert strange not in errors


def test_parameters_that_are_no_json_are_told_with_their_line(adhop, tmp_path):
    (tmp_path / "own.json").write_text('{"seed": 1,\n "hopping": }')
    code, _, errors = adhop(*CUT, "--miller", "111", "--parameters", tmp_path / "own.json")
    assert code == 1
    assert "own.json is no JSON: Expecting value, line 2, column 13" in errors
    (tmp_path / "own.json").write_text("[1]")
    assert "holds no parameters" in adhop(*CUT, "--miller", "111", "--parameters", tmp_path / "own.json")[2]


def test_files_that_can_not_be_written_are_one_line_too(adhop, service, tmp_path):
    job_id = adhop(*CUT, "--miller", "111")[1]
    assert adhop("minima", job_id, "-o", tmp_path / "x.extxyz")[2].endswith("has nothing to write yet: it is queued")
    assert "use .extxyz or .csv" in adhop("minima", job_id, "-o", "x.traj")[2]
    assert not Path("x.traj").exists()
