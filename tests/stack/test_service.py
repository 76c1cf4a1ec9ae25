"""The whole service through its client, on EMT: a job from submission to files, one refused, one cancelled."""

import csv
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from adhop import Client, JobCancelled, JobFailed, RequestRefused
from adhop.cli import app
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.calculators.emt import EMT as EMT_of_ase
from ase.constraints import FixAtoms
from ase.io import read
from ase.optimize import BFGS
from sqlalchemy import func, select
from typer.testing import CliRunner

from local import processes
from local.demo import write_results
from local.ports import free_port
from local.postgres import Postgres
from local.stack import Stack
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Candidate
from shared.database.tables import Job as JobRow

from .conftest import FAST, postgres_url, start_workers, wait_until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parent.parent.parent

EMT = {"ADHOP_DEFAULT_SEARCH_MEMBERS": "emt", "ADHOP_DEFAULT_SCORE_MEMBERS": "emt"}
QUICK = {"seed": 5, "placement": {"count": 3}, "hopping": {"hops": 2}}


@pytest.fixture(scope="module")
def service(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One service for the whole module, ready."""
    database = "service"
    postgres.create_database(database, template="migrated")
    with Stack(tmp_path_factory.mktemp("service"), FAST, postgres=postgres, database=database) as made:
        made.start_servers()
        made.make_key()
        made.start(processes.API, EMT)
        start_workers(made, "emt")
        made.wait_ready(60)
        yield made
    postgres.drop_database(database)


@pytest.fixture
def client(service: Stack) -> Iterator[Client]:
    with Client(service.url, service.make_key()) as made:
        yield made


@pytest.fixture
def opened(service: Stack) -> Iterator[Sessions]:
    engine = connect(postgres_url(service))
    yield sessions(engine)
    engine.dispose()


def slab():
    return fcc111("Pt", (2, 2, 3), vacuum=8.0, periodic=True)


def test_a_job_from_atoms_to_minima_and_files(client: Client, tmp_path, capsys):
    job = client.submit(slab=slab(), adsorbate="*CO", parameters=QUICK, name="first")
    assert job.state == "queued"
    job.wait(interval_s=0.1, timeout_s=120)
    said = capsys.readouterr().out
    assert "succeeded" in said
    assert "walkers 3 of 3 done" in said
    progress = job.body["progress"]
    assert progress["placements"] == 3
    assert progress["hops"] == {"done": 9, "most": 9}
    assert progress["force_calls"] > 50
    assert progress["evaluations"]["done"] == progress["evaluations"]["total"] > 0

    shown = job.system()
    assert (shown.body["stored"], len(shown)) == (True, 3)
    assert (shown.body["cost"]["walkers"], shown.body["cost"]["hops_most"]) == (3, 9)
    assert shown.body["cost"]["seconds"] > 0  # by this very job
    assert shown.body["references"][0]["statement"] == job.minima_body()["reference"]
    before = client.system(slab=slab(), adsorbate="*CO", parameters=QUICK)
    assert [atoms.positions.tolist() for atoms in before.placements] == [
        atoms.positions.tolist() for atoms in shown.placements
    ]

    minima = job.minima()
    assert [atoms.info["rank"] for atoms in minima] == list(range(len(minima)))
    assert minima[0].get_chemical_symbols()[-2:] == ["C", "O"]
    assert minima[0].constraints[0].index.tolist() == list(range(8))  # none was sent: the subsurface is held
    body = job.minima_body()
    assert (body["unit"], body["reference"]) == ("eV", "relaxed clean slab + CO(g), by each member's own molecules")
    # One member alone is never trusted, and the answer says so.
    assert body["minima"][0]["low_confidence"]
    assert "two are needed" in body["minima"][0]["reason"]
    assert "low confidence" in job.to_csv(tmp_path / "minima.csv")
    _, table, picture = write_results(job, tmp_path / "results")
    listed = list(csv.DictReader(table.read_text().splitlines()))
    assert sorted(int(row["candidate"]) for row in listed) == [one["id"] for one in job.candidates()]
    assert picture.stat().st_size > 1000
    extxyz = client.request("GET", f"/v1/jobs/{job.id}/minima", params={"format": "extxyz"})
    (tmp_path / "minima.extxyz").write_text(extxyz)
    again = read(tmp_path / "minima.extxyz")
    np.testing.assert_allclose(again.positions, minima[0].positions, atol=1e-8)
    assert again.info["adsorption_energy_emt"] == pytest.approx(minima[0].info["adsorption_energy_emt"], abs=1e-7)


def test_a_bond_to_what_was_adsorbed_before_is_told_from_a_site(client: Client):
    covered = slab()
    add_adsorbate(covered, "O", 1.25, "fcc")
    oxygen = covered.positions[-1]
    # the carbon atom starts 1.3 Å from that oxygen
    covered += Atoms("CO", [oxygen + np.array([1.2, 0.0, 0.5]), oxygen + np.array([2.2, 0.0, 1.1])])
    parameters = {"placement": {"count": 4}, "hopping": {"hops": 0}}
    job = client.submit(adslab=covered, adsorbate_indices=[13, 14], parameters=parameters)
    candidates = job.wait(progress=False).candidates()
    reacted = [one for one in candidates if "reacted" in one["anomalies"]]
    assert 0 < len(reacted) < len(candidates)
    for one in candidates:
        assert one["site"].endswith("; reacted with O of the slab") == (one in reacted)
        assert "reconstructed" not in one["anomalies"]
    assert not {one["id"] for one in reacted} & {one["id"] for one in job.minima_body()["minima"]}


def test_an_element_without_a_gas_reference_takes_ones_own_and_says_so(client: Client, tmp_path):
    own = {"Cu": {"label": "Cu(fcc)", "energies": {"emt": -0.25}}}
    job = client.submit(
        slab=slab(), adsorbate=Atoms("Cu"), binding=[0], parameters=QUICK | {"references": own, "hopping": {"hops": 0}}
    )
    body = job.wait(progress=False).minima_body()
    assert body["reference"] == "relaxed clean slab + Cu(fcc)"
    energies = body["minima"][0]["energies"][0]
    clean = slab()
    clean.calc = EMT_of_ase()
    clean.set_constraint(FixAtoms(mask=clean.get_tags() > 1))
    BFGS(clean, logfile=None).run(fmax=0.01)
    by_hand = energies["energy"] - clean.get_potential_energy() + 0.25
    assert energies["adsorption_energy"] == pytest.approx(by_hand, abs=0.01)


def test_a_finished_job_is_chosen_from_again_and_handed_over(client: Client, service: Stack, tmp_path):
    job = client.submit(slab=slab(), adsorbate="*CO", parameters=QUICK).wait(progress=False)
    answer = job.select(count=1, limit=0.1)
    assert (answer["number"], len(answer["minima"]["minima"])) == (1, 1)
    assert [one["number"] for one in job.selections()] == [0, 1]
    said = [one["score"]["verdict"] for one in job.candidates(selection=1)]
    assert all(said)
    assert sum(verdict.startswith("low confidence") for verdict in said) == 1
    shown = CliRunner().invoke(
        app,
        ["--url", service.url, "--key-file", str(service.key_file), "select", job.id, "--count", "2", "--limit", "0.2"],
    )
    assert "selection 2" in shown.stdout
    job.dft_inputs(tmp_path / "inputs.zip")
    assert "slab/POSCAR" in zipfile.ZipFile(tmp_path / "inputs.zip").namelist()


def test_atoms_of_an_adslab_come_back_in_their_order(client: Client):
    given = slab()
    given.set_constraint(FixAtoms(mask=given.get_tags() == 3))
    given.set_tags([1 if layer == 1 else 0 for layer in given.get_tags()])
    top = given.positions[given.get_tags() == 1][0]
    given += Atoms("CO", top + np.array([[0, 0, 1.85], [0, 0, 3.0]]), tags=[2, 2])
    given = given[np.random.default_rng(7).permutation(len(given))]
    job = client.submit(adslab=given, parameters=QUICK | {"placement": {"count": 2}, "hopping": {"hops": 0}})
    found = job.wait(progress=False).structures()
    assert len(found) == 2
    for atoms in found:
        assert atoms.get_chemical_symbols() == given.get_chemical_symbols()
        assert atoms.get_tags().tolist() == given.get_tags().tolist()
        fixed = sorted(given.constraints[0].index)
        assert sorted(atoms.constraints[0].index) == fixed
        np.testing.assert_allclose(atoms.positions[fixed], given.positions[fixed], atol=1e-9)
        computed = atoms.copy()
        computed.calc = EMT_of_ase()
        assert computed.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=2e-3)


def test_the_same_seed_gives_the_same_answer(client: Client):
    jobs = [client.submit(slab=slab(), adsorbate="*OH", parameters=QUICK) for _ in range(2)]
    first, second = ([atoms.positions for atoms in job.wait(progress=False).minima()] for job in jobs)
    np.testing.assert_array_equal(first, second)


def test_a_molecule_of_ones_own_on_a_bulk_of_ones_own(client: Client):
    from ase.build import bulk

    water = molecule("H2O")
    job = client.submit(
        bulk=bulk("Cu", cubic=True), miller=(1, 0, 0), adsorbate=water, binding=[0], parameters=QUICK | {"seed": 2}
    )
    assert job.body["surface"] == "Cu (1 0 0)"
    found = job.wait(progress=False).minima()
    assert found[0].get_chemical_symbols()[-3:] == ["O", "H", "H"]


def test_a_refusal_names_the_field_and_stores_nothing(client: Client, opened: Sessions):
    before = count_jobs(opened)
    broken = slab()
    broken.positions[1] = broken.positions[0]
    with pytest.raises(RequestRefused, match=r"0\.00 Å apart") as refused:
        client.submit(slab=broken, adsorbate="*CO")
    assert (refused.value.status, refused.value.field) == (422, "input.slab")
    assert count_jobs(opened) == before


def test_a_cancelled_job_keeps_what_it_found_and_frees_the_worker(client: Client, opened: Sessions):
    long = client.submit(slab=slab(), adsorbate="*CO", parameters={"hopping": {"hops": 500}, "placement": {"count": 2}})
    wait_until(lambda: long.refresh().body["progress"]["candidates"]["total"], 60, "a first candidate")
    assert long.cancel().state == "cancelled"
    with pytest.raises(JobCancelled):
        long.wait(progress=False)
    kept = len(long.candidates())
    assert kept
    short = client.submit(slab=slab(), adsorbate="*CO", parameters=QUICK)
    assert short.wait(progress=False, timeout_s=60).state == "succeeded"
    with opened() as session:  # nothing was written to the cancelled job since
        assert session.scalar(select(func.count()).where(Candidate.job_id == long.id)) == kept


def test_a_job_without_any_minimum_fails_with_a_reason(client: Client):
    parameters = QUICK | {"hopping": {"hops": 0, "fmax": 1e-9, "max_relaxation_steps": 1}}
    job = client.submit(slab=slab(), adsorbate="*CO", parameters=parameters)
    with pytest.raises(JobFailed, match=r"slab Pt12.*above 1e-09 eV/Å"):
        job.wait(progress=False, timeout_s=60)


def test_the_command_line_submits_watches_and_lists(client: Client, service: Stack, tmp_path):
    from ase.io import write

    file = tmp_path / "slab.extxyz"
    atoms = slab()
    atoms.info = {}
    atoms.set_tags(0)  # in a file, ASE's layer numbers would be taken for tags, and refused
    write(file, atoms)
    environment = {"ADHOP_URL": service.url, "ADHOP_KEY": service.make_key()}

    def adhop(*words: str) -> str:
        answer = CliRunner().invoke(app, list(words), env=environment, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return answer.stdout

    job_id = adhop(
        "submit", "--slab", str(file), "--adsorbate", "*CO", "--placements", "2", "--hops", "1", "--seed", "1"
    ).strip()
    watched = adhop("watch", job_id)
    assert "Minima of *CO on Pt12" in watched
    assert "low confidence" in watched
    assert job_id in adhop("jobs")
    assert "top Pt via C" in adhop("minima", job_id, "--all")
    adhop("minima", job_id, "-o", str(tmp_path / "out.extxyz"))
    assert len(read(tmp_path / "out.extxyz", ":")) == 1
    assert "emt" in adhop("models")

    adhop("minima", job_id, "--all", "-o", str(tmp_path / "all.extxyz"))
    frames, listed = read(tmp_path / "all.extxyz", ":"), client.job(job_id).candidates()
    assert sorted(frame.info["candidate"] for frame in frames) == [one["id"] for one in listed]
    assert [frame.info["rank"] for frame in frames] == [0] + [None] * (len(listed) - 1)
    assert all(frame.info["verdict"] for frame in frames)
    computed = frames[-1]
    assert computed.get_potential_energy() == computed.info["energy_emt"]
    computed.calc = EMT_of_ase()  # atoms and constraints are those that were searched, so the energy is too
    assert computed.get_potential_energy() == pytest.approx(computed.info["energy_emt"], abs=2e-3)
    computed.info["adsorption_energy"] = -1.25
    write(tmp_path / "all.extxyz", frames, format="extxyz")
    said = adhop("feed", str(tmp_path / "all.extxyz"), "--functional", "RPBE", "--code", "VASP 6.4.3")
    assert said.strip() == "-1.250 eV (RPBE, VASP 6.4.3), relative to relaxed clean slab + CO(g)"
    fed = {one["id"]: len(one["reference_energies"]) for one in client.job(job_id).candidates()}
    assert fed == {one["id"]: int(one["id"] == computed.info["candidate"]) for one in listed}


def count_jobs(opened: Sessions) -> int:
    with opened() as session:
        return session.scalars(select(func.count()).select_from(JobRow)).one()


@pytest.mark.parametrize("name", ["api", "dispatcher", "cpu"])
def test_the_health_checks_of_the_compose_file_hold_here(service: Stack, client: Client, name: str):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    kind, *words = compose["services"][name]["healthcheck"]["test"]
    if kind == "CMD-SHELL":
        words = ["sh", "-c", words[0].replace("$$", "$")]
    environment = {
        **service.environment(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOSTNAME": socket.gethostname(),
    }

    def healthy(*, port: int) -> bool:
        here = environment | {"ADHOP_PORT": str(port)}
        return subprocess.run(words, env=here, cwd=ROOT, capture_output=True, timeout=60).returncode == 0

    assert healthy(port=service.port)
    if name == "api":
        assert not healthy(port=free_port())
