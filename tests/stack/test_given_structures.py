"""Structures that are given to be scored, through the real service: every energy is that of the structure, by the package's own
calculator; relaxed where that is asked for; cancelled, and gone on with after a kill."""

from __future__ import annotations

import json
import os
import signal
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from adhop import Client, Job, JobCancelled
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.constraints import FixAtoms
from ase.io import read
from sqlalchemy import func, select

from benchmarks.calculators import own_calculator
from evaluation.__main__ import main
from local import processes
from local.postgres import Postgres
from local.stack import Stack
from shared.database.session import connect, sessions
from shared.database.tables import Candidate, GivenStructures, Placement
from tests.evaluation import sets
from worker.potentials import registry

from .conftest import FAST, postgres_url, start_workers, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.potentials]

MEMBERS = ("chgnet-0.3.0", "emt")
DEFAULTS = {"ADHOP_DEFAULT_SEARCH_MEMBERS": "emt", "ADHOP_DEFAULT_SCORE_MEMBERS": ",".join(MEMBERS)}
SCORED = {"ensemble": {"score_members": list(MEMBERS), "scale": "own gas"}}


@pytest.fixture(scope="module")
def stack(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service with one worker that hosts two members."""
    postgres.create_database("given", template="migrated")
    with Stack(tmp_path_factory.mktemp("given"), FAST, postgres=postgres, database="given") as made:
        made.start_servers()
        made.make_key()
        made.start(processes.API, DEFAULTS)
        start_workers(made, *MEMBERS)
        made.wait_ready(120)
        yield made
    postgres.drop_database("given")


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, stack.make_key()) as made:
        yield made


def clean() -> Atoms:
    slab = fcc111("Cu", (2, 2, 3), vacuum=8.0, periodic=True)
    slab.set_constraint(FixAtoms(mask=slab.get_tags() > 1))
    slab.set_tags(0)
    slab.rattle(0.02, seed=7)
    return slab


def structures(count: int = 5) -> list[Atoms]:
    """CO on Cu(111), its atoms before the slab's, at heights that rise; the last one has left."""
    made = []
    for index in range(count):
        one = clean()
        height = 5.0 if index == count - 1 else 1.5 + 0.05 * index
        add_adsorbate(one, Atoms("CO", [(0, 0, 0), (0, 0, 1.15)], tags=[2, 2]), height, "fcc")
        one.rattle(0.03, seed=index)
        one = one[[12, 13, *range(12)]]
        one.info["label"] = f"number {index}"
        made.append(one)
    return made


def energies_by_label(job: Job) -> dict[str, dict[str, Any]]:
    found = job.candidates()
    return {one["label"]: {energy["member"]: energy for energy in one["energies"]} | {"of": one} for one in found}


def by_its_own_calculator(member: str, atoms: Atoms) -> float:
    one = atoms.copy()
    one.calc = own_calculator(registry.shipped()[member], "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that meet a torch newer than they are
        return float(one.get_potential_energy())


def test_every_energy_is_that_of_the_structure_as_it_was_given(client: Client, stack: Stack, tmp_path):
    given, slab = structures(), clean()
    job = client.submit(structures=given, slab=slab, parameters=SCORED).wait(interval_s=0.2, timeout_s=240)
    found = energies_by_label(job)
    assert sorted(found) == [one.info["label"] for one in given]
    for member in MEMBERS:
        gas = []
        for atoms in given:
            energy = found[atoms.info["label"]][member]
            assert energy["energy"] == pytest.approx(by_its_own_calculator(member, atoms), abs=2e-3)
            assert (energy["relaxation_steps"], energy["displacement"]) == (0, None)
            gas.append(energy["energy"] - by_its_own_calculator(member, slab) - energy["adsorption_energy"])
        assert np.ptp(gas) < 1e-9, "one reference for all"
    for index, atoms in enumerate(given):
        candidate = found[atoms.info["label"]]["of"]
        assert candidate["placement"] == index
        assert np.allclose(candidate["structure"]["positions"], atoms.positions, atol=1e-9), "in the order given"
        assert candidate["converged"]
        assert candidate["anomalies"] == (["desorbed"] if index == 4 else [])
        assert candidate["score"]["n"] == 2
    assert job.minima_body()["minima"], "the lowest are chosen"
    assert "label" in job.to_csv(rest=True).splitlines()[0]
    (tmp_path / "all.extxyz").write_text(job.to_extxyz(rest=True))
    assert {one.info["label"] for one in read(tmp_path / "all.extxyz", ":")} == set(found)
    engine = connect(postgres_url(stack))
    with sessions(engine)() as session:
        assert session.scalar(select(func.count()).select_from(GivenStructures)) == 0, "kept once, as placements"
    engine.dispose()
    job.delete()


def test_they_are_relaxed_where_that_is_asked_for(client: Client):
    given = structures(3)[:2]
    found = {
        relax: energies_by_label(
            client.submit(
                structures=given,
                relax=relax,
                parameters={"ensemble": {"search_members": search, "score_members": ["emt"]}},
            ).wait(progress=False, timeout_s=240)
        )
        for relax, search in (("none", []), ("score", []), ("search", ["emt"]))
    }
    for atoms in given:
        label = atoms.info["label"]
        none, score, search = (found[relax][label]["emt"] for relax in ("none", "score", "search"))
        assert score["energy"] < none["energy"] - 0.05
        assert 1 <= score["relaxation_steps"] <= 10
        assert search["energy"] < score["energy"] + 1e-3
        relaxed = found["search"][label]["of"]
        assert relaxed["converged"]
        assert relaxed["fmax"] < 0.05
        assert (
            found["score"][label]["of"]["structure"]["positions"]
            == found["none"][label]["of"]["structure"]["positions"]
        )


def test_many_are_gone_on_with_after_a_kill_and_cancelled_at_once(client: Client, stack: Stack):
    many = [one for seed in range(60) for one in structures(5)[:4]]
    parameters = {"ensemble": {"score_members": ["emt"]}}
    job = client.submit(structures=many, parameters=parameters)
    wait_until(lambda: job.refresh().body["progress"]["candidates"]["total"] >= 10, 60, "some candidates")
    os.killpg(stack.child("potentials").process.pid, signal.SIGKILL)

    def ended() -> bool:
        stack.watch()
        return job.refresh().ended

    wait_until(ended, 240, "the job's end")
    assert job.state == "succeeded"
    found = job.candidates()
    assert len(found) == len({one["label"] for one in found}) == 240
    assert all(one["energies"][0]["state"] == "succeeded" for one in found)

    other = client.submit(structures=many, parameters=parameters | {"seed": 1})
    wait_until(lambda: other.refresh().body["progress"]["candidates"]["total"] >= 1, 60, "a candidate")
    other.cancel()
    with pytest.raises(JobCancelled):
        other.wait(progress=False, timeout_s=90)
    other.delete()
    engine = connect(postgres_url(stack))

    def gone() -> bool:
        with sessions(engine)() as session:
            left = [
                session.scalar(select(func.count()).select_from(table).where(table.job_id == other.id))
                for table in (Placement, Candidate)
            ]
        return left == [0, 0]

    wait_until(gone, 60, "its rows are removed")
    engine.dispose()


def test_a_set_of_catbench_is_scored_and_evaluated_in_one_command_and_again(
    client: Client, stack: Stack, tmp_path, monkeypatch, capsys
):
    """DFT's part is played by EMT, so that EMT is right to a few meV on every structure, and CHGNet isn't."""
    content = json.loads(sets.catbench(tmp_path / "set.json").read_text())
    content["Cu111_wrong"] = {"raw": {}}
    (tmp_path / "set.json").write_text(json.dumps(content))
    monkeypatch.setenv("ADHOP_URL", stack.url)
    monkeypatch.setenv("ADHOP_KEY", stack.make_key())
    command = [
        "--catbench",
        str(tmp_path / "set.json"),
        "--members",
        "emt,chgnet-0.3.0",
        "--set",
        "ensemble.scale=own gas",
    ]
    command += ["--json", str(tmp_path / "out.json"), "--html", str(tmp_path / "out.html")]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "left out: Cu111_wrong: `raw` holds nothing" in shown.err
    (report,) = json.loads((tmp_path / "out.json").read_text())
    found = report["evaluation"]
    assert (found["n_systems"], found["n_configurations"]) == (1, 4)
    assert "relative to clean slab as given + CO(g)" in found["reference"]
    by_member = {row["what"]: row for row in found["energies"]}
    exact = next(row for what, row in by_member.items() if "emt" in what)
    assert exact["mean_error"] < 5e-3
    assert exact["share"]["hits"] == 4
    assert next(row for what, row in by_member.items() if "chgnet" in what)["mean_error"] > 0.05
    with Client(stack.url) as user:
        before = [job.id for job in user.jobs()]
        assert main(command) == 0
        assert [job.id for job in user.jobs()] == before, "read again, not computed again"
