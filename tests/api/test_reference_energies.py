"""DFT inputs out, energies back in, a limit learned from them and used: over HTTP, and through the client's files."""

import zipfile
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from adhop import AdhopError, Client
from ase.build import molecule
from ase.io import write
from sqlalchemy import select

from evaluation import sources
from services.evaluation.calibration import calibrate
from services.evaluation.labelled import pairs
from shared.database.repositories.users import Role, create_key
from shared.database.tables import Group, Job, Membership, Reference, User
from shared.parameters import Spread
from shared.states import State
from tests.api.conftest import closed_port, serving
from tests.shared.database.jobs import OWN, STRUCTURE, add_candidates, add_job, add_reference
from tests.shared.database.test_selections import MEMBERS, decided

SYSTEMS = 100


@pytest.fixture
def finished(service) -> Iterator[tuple[Client, list[str], list[int]]]:
    """A client, its three finished jobs, and the ids of their candidates, one each."""
    yield from _finished(service, 3)


@pytest.fixture
def many(service) -> Iterator[tuple[Client, list[str], list[int]]]:
    """As many as a limit is learned from. The wider the spread, the worse the mean."""
    yield from _finished(service, SYSTEMS)


def _finished(service, systems: int) -> Iterator[tuple[Client, list[str], list[int]]]:
    name = f"feeder-{uuid4()}"
    rng = np.random.default_rng(0)
    jobs, made = [], []
    with service.opened.begin() as session:
        for width in np.linspace(0.01, 0.6, systems):
            energies = -1 + rng.normal(0, 0.2) * width + width * np.array([-1, 0, 1])
            job = add_job(session, user=name, state=State.RUNNING)
            job.score_members = list(MEMBERS)
            made += add_candidates(session, job, [dict(zip(MEMBERS, energies.tolist(), strict=True))])
            decided(session, job)
            job.state, job.ended_at = State.SUCCEEDED, job.created_at
            jobs.append(job)
        add_reference(session, jobs[0], state=State.SUCCEEDED)
        session.query(Reference).order_by(Reference.id.desc()).first().positions = STRUCTURE.positions
        session.flush()
        job_ids, candidates = [str(job.id) for job in jobs], [one.id for one in made]
        key = create_key(session, name, Role.SUBMIT)
    with Client(service.url, key) as client:
        yield client, job_ids, candidates


def path(candidate: int) -> str:
    return f"/v1/candidates/{candidate}/reference-energies"


def test_inputs_go_out_and_their_energies_come_back(finished, tmp_path):
    client, job_ids, _ = finished
    job = client.job(job_ids[0])
    packed = zipfile.ZipFile(job.dft_inputs(tmp_path / "in.zip"))
    names = set(packed.namelist())
    rank0 = next(name for name in names if name.startswith("rank0-") and name.endswith("POSCAR")).split("/")[0]
    assert {"slab/POSCAR", "gas-CO/INCAR", "gas-H2/KPOINTS", "gas-H2O/POSCAR", "energies.csv", "README.txt"} <= names
    totals = {rank0: -110.0, "slab": -100.0, "gas-CO": -12.0, "gas-H2": -7.0, "gas-H2O": -13.0}
    rows = packed.read("energies.csv").decode().splitlines()
    filled = [rows[0], *(row + str(totals.get(row[:-1], "")) for row in rows[1:])]
    (tmp_path / "energies.csv").write_text("\n".join(filled))
    (fed,) = client.feed_back(tmp_path / "energies.csv", functional="RPBE", code="VASP 6.4.3")
    # C: -110 + 100 - (-12 - 7 + 13)
    assert fed["adsorption_energy"] == pytest.approx(-4.0)
    assert fed["reference"] == "relaxed clean slab + CO(g) + H2(g) - H2O(g)"
    assert (fed["functional"], fed["code"]) == ("RPBE", "VASP 6.4.3")
    assert fed["user"].startswith("feeder-")
    lowest = job.minima_body()["minima"][0]
    assert [one["adsorption_energy"] for one in lowest["reference_energies"]] == pytest.approx([-4.0])
    assert len(zipfile.ZipFile(job.dft_inputs(tmp_path / "qe.zip", code="espresso")).namelist()) > 3


def test_a_table_is_learned_from_and_the_limit_used(many, tmp_path):
    client, job_ids, made = many
    lines = [f"{candidate},-1.0" for candidate in made]
    (tmp_path / "dft.csv").write_text("candidate,adsorption_energy\n" + "\n".join(lines[:10]))
    functional = f"F-{uuid4()}"
    client.feed_back(tmp_path / "dft.csv", functional=functional, code="x")
    with pytest.raises(AdhopError, match="10 candidates have a reference energy"):
        client.calibrate(MEMBERS, functional=functional)
    (tmp_path / "dft.csv").write_text("candidate,adsorption_energy\n" + "\n".join(lines[10:]))
    client.feed_back(tmp_path / "dft.csv", functional=functional, code="x")
    learned = client.calibrate(MEMBERS, functional=functional)
    assert 0.1 < learned["limit"] < 0.6
    assert learned["report"]["count"] == SYSTEMS
    assert client.calibrations()[0]["number"] == learned["number"]
    assert learned["learned_from"]["codes"] == {"x": SYSTEMS}
    assert list(learned["learned_from"]["users"].values()) == [SYSTEMS]
    assert (learned["spread"], learned["scale"]) == ("std", OWN)
    # the other spread is learned apart: jobs with one minimum each have no relative spread
    with pytest.raises(AdhopError, match="0 candidates have a reference energy"):
        client.calibrate(MEMBERS, functional=functional, spread="relative")
    answer = client.job(job_ids[0]).select(calibration=learned["number"], functional=functional)
    assert (answer["limit"], answer["calibration"]) == (learned["limit"], learned["number"])

    # the same from outside: what adhop-evaluate reads of the job gives the same limit
    labelled = sources.jobs(client, job_ids, functional)
    assert labelled.members == MEMBERS
    found = pairs(labelled, Spread.STD)
    outside = calibrate(found.spreads, found.errors, found.systems)
    assert (outside.count, outside.limit) == (SYSTEMS, pytest.approx(learned["limit"]))
    assert not np.isfinite(sources.jobs(client, job_ids[:2], "nobody's").reference).any()


def test_a_limit_of_the_relative_spread_is_learned_among_all_minima_of_each_job(service, tmp_path):
    """Jobs of three minima: where the members agree on the order the mean is right, whatever each has as its offset."""
    name, functional = f"feeder-{uuid4()}", f"F-{uuid4()}"
    rng = np.random.default_rng(1)
    jobs, lines = [], ["candidate,adsorption_energy"]
    with service.opened.begin() as session:
        for width in np.linspace(0.01, 0.6, 40):
            offsets, order = rng.normal(0, 0.5, len(MEMBERS)), np.array([-1.0, -0.6, -0.2])
            energies = order[:, None] + offsets + width * rng.normal(0, 0.3, (3, len(MEMBERS)))
            job = add_job(session, user=name, state=State.RUNNING)
            job.score_members = list(MEMBERS)
            made = add_candidates(session, job, [dict(zip(MEMBERS, row.tolist(), strict=True)) for row in energies])
            decided(session, job)
            job.state, job.ended_at = State.SUCCEEDED, job.created_at
            session.flush()
            jobs.append(str(job.id))
            lines += [f"{one.id},{label}" for one, label in zip(made, order + offsets.mean(), strict=True)]
        key = create_key(session, name, Role.SUBMIT)
    (tmp_path / "dft.csv").write_text("\n".join(lines))
    with Client(service.url, key) as client:
        client.feed_back(tmp_path / "dft.csv", functional=functional, code="x")
        learned = client.calibrate(MEMBERS, functional=functional, spread="relative")
        assert (learned["spread"], learned["report"]["count"]) == ("relative", 120)
        found = pairs(sources.jobs(client, jobs, functional), Spread.RELATIVE)
        outside = calibrate(found.spreads, found.errors, found.systems)
        assert learned["limit"] == pytest.approx(outside.limit)
        told = client.job(jobs[0]).select(calibration=learned["number"], functional=functional, spread="relative")
        assert told["limit"] == learned["limit"]


def test_the_newest_energy_of_a_functional_comes_first_and_none_is_lost(finished):
    client, _, made = finished
    for energy in (-1.0, -1.5):
        client.request("POST", path(made[0]), json={"functional": "RPBE", "code": "x", "adsorption_energy": energy})
    found = client.request("GET", path(made[0]))["reference_energies"]
    assert [one["adsorption_energy"] for one in found] == [-1.5, -1.0]


def test_an_energy_is_deleted_by_who_fed_it_back_and_what_was_learned_from_it_says_so(service, many, tmp_path):
    client, _, made = many
    functional = f"F-{uuid4()}"
    (tmp_path / "dft.csv").write_text("candidate,adsorption_energy\n" + "\n".join(f"{key},-1.0" for key in made))
    fed = client.feed_back(tmp_path / "dft.csv", functional=functional, code="x")
    learned = client.calibrate(MEMBERS, functional=functional)
    assert client.calibrate(MEMBERS, functional=functional) == learned  # asked again, it is the same proposal
    client.feed_back(tmp_path / "dft.csv", functional=functional, code="y")
    number = fed[0]["id"]
    assert [one["code"] for one in client.reference_energies(made[0])] == ["y", "x"]
    with service.client() as stranger, service.client(Role.READ, name=fed[0]["user"]) as reader:
        assert stranger.delete(f"{path(made[0])}/{number}").status_code == 404
        assert reader.delete(f"{path(made[0])}/{number}").status_code == 403
    client.delete_reference_energy(made[0], number)
    with pytest.raises(AdhopError, match=f"candidate {made[0]} has no reference energy {number}"):
        client.delete_reference_energy(made[0], number)
    with pytest.raises(AdhopError, match="has no reference energy"):
        client.delete_reference_energy(made[1], fed[2]["id"])  # another candidate's
    assert [one["code"] for one in client.reference_energies(made[0])] == ["y"]
    (now,) = [one for one in client.calibrations() if one["number"] == learned["number"]]
    assert (now["learned_from"]["candidates"], now["learned_from"]["deleted_since"]) == (SYSTEMS, 1)
    assert now["report"] == learned["report"]
    assert client.calibrate(MEMBERS, functional=functional)["learned_from"]["codes"] == {"y": SYSTEMS}


def test_a_group_reads_what_was_fed_back_and_does_not_delete_it(service, finished):
    client, job_ids, made = finished
    client.request("POST", path(made[0]), json={"functional": "RPBE", "code": "x", "adsorption_energy": -1.0})
    (one,) = client.reference_energies(made[0])
    with service.client(name="colleague") as colleague, service.opened.begin() as session:
        group = Group(name=f"group-{uuid4()}")
        session.add(group)
        session.flush()
        session.get_one(Job, UUID(job_ids[0])).group_id = group.id
        colleague_id = session.scalars(select(User.id).where(User.name == "colleague")).one()
        session.add(Membership(group_id=group.id, user_id=colleague_id))
        session.commit()
        assert len(colleague.get(path(made[0])).json()["reference_energies"]) == 1
        answer = colleague.delete(f"{path(made[0])}/{one['id']}")
        assert (answer.status_code, "deleted by whoever fed it back" in answer.text) == (403, True)


def test_there_is_a_limit_to_the_energies_of_a_candidate_and_of_a_user(service, finished):
    client, _, made = finished
    body = {"functional": "RPBE", "code": "x", "adsorption_energy": -1.0}
    limits = {"max_labels_per_candidate": 2, "max_labels_per_user": 3}
    with serving(service.database_url, f"redis://127.0.0.1:{closed_port()}/0", **limits) as small:
        key = {"Authorization": f"Bearer {small.key(name=client_name(client))}"}
        with httpx.Client(base_url=small.url, headers=key) as mine:
            statuses = [mine.post(path(one), json=body).status_code for one in [made[0]] * 3 + [made[1], made[2]]]
            assert statuses == [201, 201, 409, 201, 409]
            assert "2 are allowed: delete some first" in mine.post(path(made[0]), json=body).json()["detail"]
            newest = mine.get(path(made[0])).json()["reference_energies"][0]["id"]
            assert mine.delete(f"{path(made[0])}/{newest}").status_code == 204
            assert mine.post(path(made[2]), json=body).status_code == 201


def client_name(client: Client) -> str:
    """Of the user behind a client."""
    return str(next(client.jobs(limit=1)).body["user"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"functional": "RPBE", "code": "x"}, "adsorption_energy or totals"),
        (
            {"functional": "RPBE", "code": "x", "totals": {"adslab": -1, "slab": -1, "gas": {"CO": -1}}},
            "give the total energy of H2, H2O too",
        ),
        ({"functional": "", "code": "x", "adsorption_energy": 1}, "at least 1"),
        ({"functional": "RPBE", "code": "x", "adsorption_energy": "nan"}, "finite"),
    ],
)
def test_refusals(finished, body, why):
    client, _, made = finished
    with pytest.raises(AdhopError, match=why):
        client.request("POST", path(made[0]), json=body)


def test_candidates_of_others_are_not_found(service, finished):
    _, _, made = finished
    with service.client() as stranger:
        answer = stranger.post(path(made[0]), json={"functional": "a", "code": "b", "adsorption_energy": 1})
        assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no candidate {made[0]}")
        assert stranger.get(path(2**40)).status_code == 404


def test_files_that_say_too_little_are_refused_before_anything_is_sent(tmp_path):
    table = tmp_path / "a.csv"
    with Client("http://127.0.0.1:1", "key") as client:
        for text, why in (
            ("a,b\n1,2\n", "must name the columns"),
            ("candidate,adsorption_energy\n1,-1\n", "which functional and code"),
            ("candidate,adsorption_energy\nx,-1\n", "'x' is no candidate's number"),
            ("candidate,adsorption_energy\n1,nan\n", "is no number"),
            ("name,total_energy_eV\nrank0-candidate1,-5\nslab,\n", "total energy of the slab is missing"),
            ("name,total_energy_eV\nrank0-candidate1,\nslab,-1\n", "holds no energies"),
        ):
            table.write_text(text)
            with pytest.raises(AdhopError, match=why):
                client.feed_back(table)
        with pytest.raises(AdhopError, match="can't be read"):
            client.feed_back(tmp_path / "missing.csv")
    atoms = molecule("CO")
    atoms.info = {"nothing": 1}
    write(tmp_path / "a.extxyz", atoms, format="extxyz")
    with pytest.raises(AdhopError, match="neither `name` nor `candidate`"), Client("http://127.0.0.1:1", "k") as client:
        client.feed_back(tmp_path / "a.extxyz")
