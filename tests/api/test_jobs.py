"""Jobs over HTTP: submitted in each of the three ways, listed, followed, cancelled."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from shared.database.repositories.users import Role
from shared.database.tables import Job, StageRow
from shared.database.workflow import transitions
from shared.structures import Structure
from tests.api.structures import BULK_JOB, adslab, arrays, slab, text
from worker.queue import claims, eligible
from worker.tasks import stages
from worker.tasks.stage_child import Placing


def submitted(client: httpx.Client, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post("/v1/jobs", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def stored(service: Any, job_id: str) -> Job:
    with service.opened() as session:
        return session.get_one(Job, UUID(job_id))


def test_a_bulk_is_stored_with_its_first_stage(service, client):
    job = submitted(client, BULK_JOB)
    assert (job["state"], job["stage"], job["adsorbate"]) == ("queued", "placing", "*CO")
    assert job["surface"] == "Pt (1 1 1)"
    assert (job["search_members"], job["score_members"]) == (["alpha"], ["alpha", "beta"])
    row = stored(service, job["id"])
    assert row.submission["numbers"] == [78] * 4  # the cubic cell, which the index is of
    assert row.submission["conventional"] is False
    assert row.submission["adsorbate"]["binding"] == [0]
    with service.opened() as session:
        assert session.scalars(select(StageRow.work).where(StageRow.job_id == row.id)).all() == ["placement"]


@pytest.mark.parametrize("form", ["extxyz", "poscar", "ase-json", "arrays"])
def test_a_slab_arrives_the_same_in_every_format(service, client, form):
    sent = slab()
    if form == "arrays":
        given = arrays(sent, fixed=[index in sent.constraints[0].index for index in range(len(sent))])
    elif form == "ase-json":
        from ase.io.jsonio import encode

        given = {"format": form, "text": encode(sent)}
    else:
        given = text(sent, form)
    job = submitted(client, {"input": {"kind": "slab", "slab": given, "adsorbate": "*OH"}})
    found = Structure.from_document(stored(service, job["id"]).submission["slab"])
    assert found.numbers.tolist() == sent.numbers.tolist()
    np.testing.assert_allclose(found.positions, sent.positions, atol=1e-7)
    np.testing.assert_allclose(found.cell, sent.cell.array, atol=1e-12)
    assert np.flatnonzero(found.fixed).tolist() == sorted(sent.constraints[0].index)
    assert not found.adsorbate.any()


def test_a_cif_is_read_as_ase_reads_it(service, client):
    cif = (
        "data_Pt\n_cell_length_a 3.92\n_cell_length_b 3.92\n_cell_length_c 3.92\n_cell_angle_alpha 90\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n"
        "_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\nPt 0 0 0\n"
    )
    body = {
        "input": {
            "kind": "bulk",
            "bulk": {"format": "cif", "text": cif},
            "miller": [1, 0, 0],
            "adsorbate": {
                "structure": {
                    "format": "arrays",
                    "numbers": [6, 8],
                    "positions": [[0, 0, 0], [0, 0, 1.15]],
                    "cell": [[0, 0, 0]] * 3,
                },
                "binding": [0],
            },
        }
    }
    row = stored(service, submitted(client, body)["id"])
    assert row.submission["numbers"] == [78] * 4  # the face-centred cell, from one site and its symmetry
    assert row.adsorbate == "CO"


def test_an_adslab_is_marked_by_tags_or_by_indices(service, client):
    sent = adslab()
    by_tags = submitted(client, {"input": {"kind": "adslab", "structure": text(sent)}})
    untagged = sent.copy()
    untagged.set_tags([0] * len(sent))
    by_indices = submitted(
        client, {"input": {"kind": "adslab", "structure": text(untagged), "adsorbate_indices": [12, 13]}}
    )
    first = Structure.from_document(stored(service, by_tags["id"]).submission["structure"])
    second = Structure.from_document(stored(service, by_indices["id"]).submission["structure"])
    assert np.flatnonzero(first.adsorbate).tolist() == np.flatnonzero(second.adsorbate).tolist() == [12, 13]
    assert first.surface.sum() == 4
    assert not second.surface.any()  # nothing said so; it is found from the geometry later
    assert (by_tags["adsorbate"], by_tags["surface"]) == ("CO", "Pt12")


def test_the_same_key_gives_the_same_job(client):
    job = submitted(client, BULK_JOB, **{"Idempotency-Key": "one"})
    again = client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    other = client.post("/v1/jobs", json=BULK_JOB | {"name": "other"}, headers={"Idempotency-Key": "one"})
    assert other.status_code == 409
    assert job["id"] in other.json()["detail"]


def test_a_key_of_another_user_is_another_job(service, client):
    job = submitted(client, BULK_JOB, **{"Idempotency-Key": "shared"})
    with service.client() as other:
        assert submitted(other, BULK_JOB, **{"Idempotency-Key": "shared"})["id"] != job["id"]


def test_equal_requests_at_once_make_one_job(client):
    def post(_: int) -> httpx.Response:
        return client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_pages_hold_every_job_once_newest_first(client):
    made = [submitted(client, BULK_JOB | {"name": str(n)})["id"] for n in range(5)]
    seen, cursor = [], None
    while True:
        page = client.get("/v1/jobs", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]
    client.delete(f"/v1/jobs/{made[2]}")
    cancelled = client.get("/v1/jobs", params={"state": "cancelled"}).json()["jobs"]
    assert [job["id"] for job in cancelled] == [made[2]]


@pytest.mark.parametrize("cursor", ["?", "MTIz", "a", "2024|x", "AAAA"])
def test_a_made_up_cursor_is_refused(client, cursor):
    answer = client.get("/v1/jobs", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_users_see_their_own_jobs_and_an_admin_all(service, client):
    job = submitted(client, BULK_JOB)
    with service.client() as stranger, service.client(Role.ADMIN) as admin:
        assert stranger.get(f"/v1/jobs/{job['id']}").status_code == 404
        assert stranger.delete(f"/v1/jobs/{job['id']}").status_code == 404
        assert stranger.get(f"/v1/jobs/{job['id']}/minima").status_code == 404
        assert stranger.get("/v1/jobs").json()["jobs"] == []
        assert admin.get(f"/v1/jobs/{job['id']}").json()["user"] == job["user"]
        assert job["id"] in {one["id"] for one in admin.get("/v1/jobs").json()["jobs"]}


def test_cancelling_ends_the_job_and_its_stage_once(service, client):
    job = submitted(client, BULK_JOB)
    answer = client.delete(f"/v1/jobs/{job['id']}")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["ended_at"] is not None
    with service.opened() as session:
        assert session.scalars(select(StageRow.state).where(StageRow.job_id == UUID(job["id"]))).all() == ["cancelled"]
    again = client.delete(f"/v1/jobs/{job['id']}")
    assert again.status_code == 409
    assert "already cancelled" in again.json()["detail"]


def test_an_unknown_job_is_a_problem_document(client):
    answer = client.get(f"/v1/jobs/{uuid4()}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found"


def test_a_new_job_says_what_it_waits_for(client):
    assert submitted(client, BULK_JOB)["waiting_for"].startswith("placements: no CPU worker is running")


def test_minima_of_an_open_job_are_empty(client):
    job = submitted(client, BULK_JOB)
    assert client.get(f"/v1/jobs/{job['id']}/minima").json() == {
        "minima": [],
        "reference": "",
        "unit": "eV",
        "selection": 0,
        "candidates_dropped_at": None,
        "accuracy": "",
        "cautions": [],
        "offsets": {},
        "offset_spread": None,
        "n_offsets": 0,
    }
    extxyz = client.get(f"/v1/jobs/{job['id']}/minima", params={"format": "extxyz"})
    assert (extxyz.status_code, extxyz.text) == (200, "")
    assert client.get(f"/v1/jobs/{job['id']}/candidates").json() == {
        "candidates": [],
        "next": None,
        "candidates_dropped_at": None,
    }


def test_warnings_tell_what_was_ignored_and_then_what_was_decided(service, client):
    free = slab()
    free.set_constraint()
    free.set_tags([3] * 4 + [2] * 4 + [1] * 4)
    job = submitted(client, {"input": {"kind": "slab", "slab": text(free), "adsorbate": "*CO"}})
    assert [warning[:28] for warning in job["warnings"]] == ["slab: the tags count layers,"]
    with service.opened.begin() as session:
        rows = claims.claim(session, StageRow, eligible.stages(), owner="test", lease_s=60, limit=100)
        lease = next(claims.lease_of(row) for row in rows if row.job_id == UUID(job["id"]))
        row = transitions.lock_job(session, UUID(job["id"]))
        placing = Placing(row.submission, row.read_parameters(), 400)
        stages.store_placements(session, lease, row, *placing.answer())
    found = client.get(f"/v1/jobs/{job['id']}").json()["warnings"]
    assert found[:1] == job["warnings"]
    assert any(warning.startswith("no atom was fixed: the 8 atoms below the surface layer") for warning in found[1:])
