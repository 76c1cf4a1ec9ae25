"""What was understood of a submission: shown without queueing anything, and of a job, as JSON, extended XYZ and a picture."""

import struct
import subprocess
import sys
import threading
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import matplotlib.image
import numpy as np
import pytest
from ase.build import bulk
from ase.io import read
from sqlalchemy import func, select

from api.jobs.estimate import CALLS_PER_HOP, CALLS_PER_RELAXATION, estimate
from api.placing import pool
from api.placing.pool import Placers
from api.systems.views import SUBMISSION
from services.systems.find import find_placements
from shared.adsorbates import lookup
from shared.database.repositories.structures import keep
from shared.database.repositories.users import Role
from shared.database.tables import Job, Placement, Reference, StageRow, StructureRow
from shared.errors import InvalidInput, Unavailable
from shared.parameters import JobParameters
from shared.structures import Structure
from shared.submissions import BulkSubmission, SlabSubmission
from tests.api.structures import BULK_JOB, adslab, arrays, as_adslab, on_slab, slab, text
from tests.shared.database.jobs import OWN
from worker.tasks.stage_child import Placing

ROOT = Path(__file__).resolve().parent.parent.parent
FOUR = {"parameters": {"placement": {"count": 4}}}


def shown(client: httpx.Client, body: dict[str, Any], **params: str) -> httpx.Response:
    answer = client.post("/v1/systems", json=body, params=params)
    assert answer.status_code == 200, answer.text
    return answer


def submitted(client: httpx.Client, body: dict[str, Any]) -> str:
    answer = client.post("/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def counted(service: Any) -> list[int]:
    with service.opened() as session:
        return [
            session.scalars(select(func.count()).select_from(table)).one()
            for table in (Job, StageRow, Placement, StructureRow, Reference)
        ]


def test_a_slab_is_shown_with_what_was_found_of_it_and_nothing_is_stored(service, client):
    before = counted(service)
    view = shown(client, on_slab(text(slab())) | FOUR).json()
    assert counted(service) == before
    assert (view["job"], view["stored"], view["kind"], view["surface"]) == (None, False, "slab", "Pt12")
    found = view["slab"]
    assert (found["formula"], found["n_atoms"], found["n_free"]) == ("Pt12", 12, 8)
    assert found["surface"] == [8, 9, 10, 11]  # no tag said so
    assert found["fixed"] == sorted(slab().constraints[0].index.tolist()) == [0, 1, 2, 3]
    assert found["cell"]["height"] == pytest.approx(found["thickness"] + found["cell"]["vacuum"])
    assert found["cell"]["vacuum"] == pytest.approx(16.0)
    adsorbate = view["adsorbate"]
    assert (adsorbate["name"], adsorbate["formula"], adsorbate["symbols"]) == ("*CO", "CO", ["C", "O"])
    assert (adsorbate["binding"], adsorbate["fixed"]) == ([0], [])
    assert [one["index"] for one in view["placements"]] == [0, 1, 2, 3]
    assert {one["method"] for one in view["placements"]} == {"heuristic"}
    assert view["order"] == {"slab": list(range(12)), "adsorbate": [0, 1]}
    assert view["members"] == {"search": ["alpha"], "refine": [], "score": ["alpha", "beta"]}
    assert view["references"] == [
        {
            "energies": "total",
            "members": ["alpha", "beta"],
            "statement": f"relaxed clean slab + CO(g), {OWN}",
            "relaxed": ["clean slab", "CO(g)"],
            "kinds": ["own gas"],
            "accuracy": "",
        }
    ]


def test_members_that_predict_adsorption_energies_relax_no_gas(client):
    parameters = FOUR["parameters"] | {"ensemble": {"score_members": ["direct"]}}
    (reference,) = shown(client, on_slab(text(slab())) | {"parameters": parameters}).json()["references"]
    assert (reference["energies"], reference["members"], reference["relaxed"]) == (
        "adsorption",
        ["direct"],
        ["clean slab"],
    )
    assert reference["statement"] == "relaxed clean slab + CO(g), on the scale of OC20 (RPBE)"


@pytest.mark.parametrize("body", [BULK_JOB, on_slab(text(slab())) | FOUR, as_adslab(text(adslab())) | FOUR])
def test_the_placements_are_those_that_a_worker_finds_to_the_last_bit(service, client, body):
    view = shown(client, body).json()
    with service.opened() as session:
        job = session.get_one(Job, UUID(submitted(client, body)))
    system, placed = Placing(job.submission, job.read_parameters(), 400).answer()
    assert [(one["site"], one["method"]) for one in view["placements"]] == [(one.site, one.method) for one in placed]
    for one, worked in zip(view["placements"], placed, strict=True):
        assert one["structure"] == worked.structure.to_document()
    assert view["slab"]["structure"] == system.slab.to_document()
    assert client.get(f"/v1/jobs/{job.id}/system").json() | {"job": None} == view


def test_an_adslab_is_shown_in_the_order_given_with_the_map_to_the_order_inside(client):
    given = adslab()
    shuffled = given[[12, *range(6), 13, *range(6, 12)]]  # O first, C in the middle of the slab
    view = shown(client, as_adslab(text(shuffled)) | FOUR).json()
    order = view["order"]["slab"] + view["order"]["adsorbate"]
    assert (view["order"]["adsorbate"], view["adsorbate"]["symbols"]) == ([0, 7], ["O", "C"])
    assert view["slab"]["structure"]["numbers"] == shuffled.numbers[order[:12]].tolist()
    first = view["placements"][0]
    assert (first["site"], first["structure"]["numbers"]) == ("submitted", shuffled.numbers.tolist())
    np.testing.assert_allclose(first["structure"]["positions"], shuffled.positions, atol=1e-7)
    for one in view["placements"]:
        assert np.flatnonzero(np.array(one["structure"]["tags"]) == 2).tolist() == [0, 7]


def test_the_same_content_has_one_digest_by_text_and_by_arrays(client):
    atoms = slab()
    fixed = [index in atoms.constraints[0].index for index in range(len(atoms))]
    by_text, by_arrays = (
        shown(client, on_slab(given) | FOUR).json()["digest"] for given in (text(atoms), arrays(atoms, fixed=fixed))
    )
    other = shown(client, on_slab(text(slab("Cu")), "*OH") | {"parameters": {"ensemble": {"score_members": ["alpha"]}}})
    assert len(by_text) == len(by_arrays) == 64
    assert other.json()["digest"] != by_text


def test_a_job_shows_the_placements_that_it_stored(service, client):
    job_id = UUID(submitted(client, on_slab(text(slab())) | FOUR))
    with service.opened.begin() as session:
        job = session.get_one(Job, job_id)
        system, placed = Placing(job.submission, job.read_parameters(), 400).answer()
        for index, one in enumerate(placed[:2]):
            moved = one.structure.positions + np.where(one.structure.adsorbate, 0.25, 0.0)[:, None]
            session.add(
                Placement(job_id=job_id, index=index, structure_id=keep(session, one.structure), positions=moved,
                          site=f"site {index}", method="by another version")
            )  # fmt: skip
    view = client.get(f"/v1/jobs/{job_id}/system").json()
    assert (view["job"], view["stored"]) == (str(job_id), True)
    assert [(one["site"], one["method"]) for one in view["placements"]] == [
        ("site 0", "by another version"), ("site 1", "by another version"),
    ]  # fmt: skip
    lifted = Structure.from_document(view["placements"][1]["structure"])
    np.testing.assert_array_equal(lifted.positions[:12], system.slab.positions)
    np.testing.assert_array_equal(lifted.positions[12:], placed[1].structure.positions[12:] + 0.25)
    assert view["cost"]["walkers"] == 2


def test_extended_xyz_holds_the_slab_and_then_each_placement(client):
    answer = shown(client, on_slab(text(slab())) | FOUR, format="extxyz")
    assert answer.headers["content-type"].startswith("chemical/x-xyz")
    frames = read(StringIO(answer.text), index=":", format="extxyz")
    assert [atoms.info["what"] for atoms in frames] == ["clean slab", *["placement"] * 4]
    view = shown(client, on_slab(text(slab())) | FOUR).json()
    assert [atoms.info["site"] for atoms in frames[1:]] == [one["site"] for one in view["placements"]]
    assert frames[0].constraints[0].index.tolist() == [0, 1, 2, 3]
    for atoms, one in zip(frames[1:], view["placements"], strict=True):
        assert atoms.get_tags().tolist() == one["structure"]["tags"]
        np.testing.assert_allclose(atoms.positions, one["structure"]["positions"], atol=1e-7)


def test_the_picture_is_a_png_that_shows_something(client):
    path = f"/v1/jobs/{submitted(client, BULK_JOB)}/system"
    answer = client.get(path, params={"format": "png"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", answer.content[16:24])
    assert width > 1000
    assert height > 700
    pixels = matplotlib.image.imread(BytesIO(answer.content), format="png")[..., :3]
    assert len(np.unique((pixels * 255).astype(int).reshape(-1, 3), axis=0)) > 50
    red = (pixels[..., 0] > 0.9) & (pixels[..., 1] < 0.2) & (pixels[..., 2] < 0.2)
    assert red.sum() > 100  # the oxygen atom, and nothing of platinum is


@pytest.mark.parametrize(
    "body",
    [
        on_slab(text(slab()), "*COO"),
        on_slab({"format": "extxyz", "text": "nonsense"}),
        on_slab(text(slab(vacuum=1.0))),
        on_slab(text(slab())) | {"parameters": {"ensemble": {"score_members": ["gamma"]}}},
        on_slab(text(slab())) | {"parameters": {"placement": {"count": 0}}},
        on_slab(text(slab())) | {"surprise": 1},
        {"input": {"kind": "slab"}},
    ],
)
def test_refusals_are_those_of_a_job_in_the_same_words(client, body):
    job, system = client.post("/v1/jobs", json=body), client.post("/v1/systems", json=body)
    assert (system.status_code, system.json()) == (job.status_code, job.json())
    assert system.status_code == 422


def test_what_only_the_science_can_refuse_is_refused_here_before_a_job_would_fail(client):
    body = {"input": BULK_JOB["input"] | {"termination": 7}}
    answer = client.post("/v1/systems", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "input.termination")
    assert "termination 7 does not exist" in answer.json()["detail"]
    job_id = submitted(client, body)
    assert client.get(f"/v1/jobs/{job_id}/system").json()["detail"] == answer.json()["detail"]


def test_a_key_that_reads_sees_its_jobs_systems_and_posts_none(service):
    with service.client(name="pair") as owner, service.client(Role.READ, name="pair") as reader:
        job_id = submitted(owner, BULK_JOB)
        assert reader.get(f"/v1/jobs/{job_id}/system").status_code == 200
        assert reader.post("/v1/systems", json=BULK_JOB).status_code == 403
    with service.client() as other:
        assert other.get(f"/v1/jobs/{job_id}/system").status_code == 404


def test_an_element_of_ones_own_is_in_the_statement(client):
    copper = {"structure": {"format": "arrays", "numbers": [29], "positions": [[0, 0, 0]], "cell": [[0, 0, 0]] * 3}}
    own = {"Cu": {"label": "Cu(fcc)", "energies": {"alpha": -0.25}}}
    parameters = FOUR["parameters"] | {"references": own, "ensemble": {"score_members": ["alpha"]}}
    body = on_slab(text(slab()), copper | {"binding": [0]}) | {"parameters": parameters}
    (reference,) = shown(client, body).json()["references"]
    assert (reference["statement"], reference["relaxed"]) == ("relaxed clean slab + Cu(fcc)", ["clean slab"])


def test_the_estimate_counts_relaxations_and_hops_within_the_budgets():
    parameters = JobParameters.model_validate({"placement": {"count": 8}, "hopping": {"hops": 5, "walkers": 3}})
    cost = estimate(parameters, 8, 2, 50, None)
    assert (cost.walkers, cost.hops_most) == (16, 16 + 5 * 3 * 2)
    assert cost.force_calls == 16 * CALLS_PER_RELAXATION + 30 * CALLS_PER_HOP
    assert cost.seconds is None
    assert "time is not known" in cost.how
    capped = parameters.model_copy(update={"max_force_calls": 500})
    assert estimate(capped, 8, 2, 50, 0.001).force_calls == 500
    assert estimate(capped, 8, 2, 50, 0.001).seconds == pytest.approx(500 * 50 * 0.001)
    hurried = capped.model_copy(update={"max_wall_s": 3.0})
    assert estimate(hurried, 8, 2, 50, 0.001).seconds == 3.0


def test_the_api_process_never_imports_what_finds_placements():
    """Seconds of imports and tens of megabytes stay in the child."""
    code = (
        "import sys, api.__main__, api.app; from api.app import create_app; from shared.settings import Settings; "
        "create_app(Settings(database_url='postgresql://n@n/x', broker_url='redis://n/0')); "
        "print([name for name in sys.modules if name.startswith(('services.systems', 'pymatgen', 'matplotlib.figure'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def submission() -> dict[str, Any]:
    none = [False] * 12
    structure = Structure.from_atoms(slab(), adsorbate=none, surface=none)
    return SlabSubmission(slab=structure.to_document(), adsorbate=lookup("*CO")).model_dump(mode="json")


def test_too_many_who_wait_are_sent_away_and_the_others_are_answered(submission):
    placers = Placers(max_atoms=400)
    parameters = JobParameters().model_dump(mode="json")
    outcomes: list[str] = []

    def ask() -> None:
        try:
            placers.understood(submission, parameters)
            outcomes.append("answered")
        except Unavailable as refusal:
            outcomes.append(str(refusal))

    try:
        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
    finally:
        placers.close()
    refused = [one for one in outcomes if one != "answered"]
    assert len(outcomes) == 12
    assert "answered" in outcomes
    assert len(refused) >= 12 - 1 - pool._KIND.most_waiting
    assert set(refused) == {pool._KIND.busy}


def test_other_requests_are_answered_while_systems_are_worked_out(client):
    body = on_slab(text(slab())) | {"parameters": {"placement": {"count": 400}}}
    began = threading.Event()
    done: list[int] = []

    def ask() -> None:
        began.set()
        done.append(client.post("/v1/systems", json=body, params={"format": "png"}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    began.wait(5)
    meanwhile = 0
    while len(done) < 4 and meanwhile < 50:
        assert client.get("/v1/jobs").status_code == 200
        meanwhile += 1
    for thread in threads:
        thread.join(90)
    assert set(done) <= {200, 503}
    assert meanwhile >= 20  # had they waited for a system, there would be four at most


def test_a_system_beyond_the_limits_of_time_is_refused_and_the_next_one_is_answered(submission, monkeypatch):
    monkeypatch.setattr(pool, "_KIND", replace(pool._KIND, time_limit_s=2.0))
    placers = Placers(max_atoms=5000)
    parameters = JobParameters().model_dump(mode="json")
    try:
        placers.understood(submission, parameters | {"placement": {"count": 4}})
        with pytest.raises(InvalidInput, match="ask for fewer placements") as refused:
            placers.understood(
                _large(), JobParameters.model_validate({"placement": {"count": 500}}).model_dump(mode="json")
            )
        assert refused.value.field == "parameters.placement.count"
        monkeypatch.undo()
        assert placers.understood(submission, parameters).placements
    finally:
        placers.close()


def _large() -> dict[str, Any]:
    crystal = bulk("Pt", cubic=True)
    return BulkSubmission(
        numbers=tuple(crystal.numbers.tolist()),
        positions=[tuple(row) for row in crystal.positions.tolist()],
        cell=[tuple(row) for row in crystal.cell.tolist()],
        miller=(2, 1, 1),
        min_width=40,
        min_depth=9,
        adsorbate=lookup("*CH3"),
    ).model_dump(mode="json")


def test_finding_placements_is_a_function_of_submission_and_parameters(submission):
    parameters = JobParameters.model_validate({"seed": 3, "placement": {"count": 6, "mode": "random"}})
    first, again = (find_placements(SUBMISSION.validate_python(submission), parameters)[1] for _ in range(2))
    other = find_placements(SUBMISSION.validate_python(submission), parameters.model_copy(update={"seed": 4}))[1]
    assert [one.structure.digest for one in first] == [one.structure.digest for one in again]
    assert [one.structure.digest for one in first] != [one.structure.digest for one in other]
