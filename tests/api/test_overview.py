"""All candidates in one line each, and what other rules would choose: the same as the longer answers say."""

from uuid import uuid4

import pytest

from api.overview.routes import Overview
from shared.database.repositories.users import Role
from shared.database.tables import Candidate
from shared.plain_text import shown
from shared.states import Stage, State
from tests.shared.database.jobs import add_candidates, add_job
from tests.shared.database.test_selections import MEMBERS, decided

ENERGIES = [
    {"a": -2.0, "b": -1.4, "c": -1.4},
    {"a": -1.2, "b": -1.3, "c": -1.4},
    {"a": -1.0, "b": None, "c": -1.0},
]


@pytest.fixture
def finished(service):
    name = f"looker-{uuid4()}"
    with service.client(name=name) as client:
        with service.opened.begin() as session:
            job = add_job(session, user=name, state=State.RUNNING)
            job.score_members, job.stage = list(MEMBERS), Stage.DONE
            add_candidates(session, job, ENERGIES)
            decided(session, job)
            job.state, job.ended_at = State.SUCCEEDED, job.created_at
            session.flush()
            found = str(job.id)
        yield client, found


def test_each_line_says_what_the_candidate_says(finished):
    client, job = finished
    lines = client.get(f"/v1/jobs/{job}/overview").json()["candidates"]
    whole = client.get(f"/v1/jobs/{job}/candidates").json()["candidates"]
    assert len(lines) == len(whole) == 3
    for line, one in zip(lines, whole, strict=True):
        same = set(line) & set(one) - {"energies"}
        assert {name: line[name] for name in same} == {name: one[name] for name in same}
        scored = {e["member"]: e["adsorption_energy"] for e in one["energies"] if e["adsorption_energy"] is not None}
        assert line["energies"] == scored
        assert client.get(f"/v1/jobs/{job}/candidates/{one['id']}").json() == one


def test_an_overview_is_what_it_is_described_as_and_hides_nothing_in_its_texts(finished, service):
    client, job = finished
    with service.opened.begin() as session:
        for one in session.query(Candidate).filter_by(job_id=job):
            one.site, one.anomalies = "top \x1b[31mred\u202e", ["dis\x07sociated"]
    answer = client.get(f"/v1/jobs/{job}/overview").json()
    assert Overview.model_validate(answer).model_dump(mode="json") == answer
    assert {one["site"] for one in answer["candidates"]} == {shown("top \x1b[31mred\u202e")}
    assert "\x1b" not in answer["candidates"][0]["site"]
    assert answer["candidates"][0]["anomalies"] == [shown("dis\x07sociated")]


@pytest.mark.parametrize("asked", [{}, {"limit": 0.5, "count": 2}, {"members": ["b", "c"]}, {"spread": "range"}])
def test_a_preview_says_what_a_selection_would_and_stores_nothing(finished, asked):
    client, job = finished
    seen = client.post(f"/v1/jobs/{job}/selections:preview", json=asked).json()
    assert len(client.get(f"/v1/jobs/{job}/selections").json()["selections"]) == 1
    made = client.post(f"/v1/jobs/{job}/selections", json=asked).json()
    assert (seen["rules"], seen["limit"], seen["n_passing"]) == (made["rules"], made["limit"], made["n_passing"])
    for name in ("reference", "accuracy", "offsets", "offset_spread", "n_offsets", "cautions"):
        assert seen[name] == made["minima"][name]
    judged = client.get(f"/v1/jobs/{job}/candidates", params={"selection": made["number"]}).json()["candidates"]
    ranks = {one["id"]: one["rank"] for one in made["minima"]["minima"]}
    for outcome, one in zip(seen["outcomes"], judged, strict=True):
        assert (outcome["candidate"], outcome["rank"]) == (one["id"], ranks.get(one["id"]))
        for name in ("mean", "std", "range", "n", "passes", "reason", "verdict", "same_as"):
            assert outcome[name] == (
                pytest.approx(one["score"][name]) if name in ("mean", "std", "range") else one["score"][name]
            )


def test_whoever_may_read_the_job_may_ask_and_nobody_else(service, finished):
    client, job = finished
    name = client.get("/v1/me").json()["name"]
    with service.client(Role.READ, name) as reader, service.client() as stranger:
        assert reader.post(f"/v1/jobs/{job}/selections:preview", json={"limit": 0.1}).status_code == 200
        assert reader.get(f"/v1/jobs/{job}/overview").status_code == 200
        line = reader.get(f"/v1/jobs/{job}/overview").json()["candidates"][0]
        for answer in (
            stranger.post(f"/v1/jobs/{job}/selections:preview", json={}),
            stranger.get(f"/v1/jobs/{job}/overview"),
            stranger.get(f"/v1/jobs/{job}/candidates/{line['id']}"),
        ):
            assert (answer.status_code, answer.json()["detail"]) == (404, f"there is no job {job}")
        with service.opened.begin() as session:
            other = str(add_job(session, user=name).id)
        missing = reader.get(f"/v1/jobs/{other}/candidates/{line['id']}")
        assert missing.status_code == 404  # of another job


def test_a_job_that_searches_has_lines_but_no_choice_yet(service, client):
    with service.opened.begin() as session:
        job = add_job(session, user=client.get("/v1/me").json()["name"], state=State.RUNNING)
        add_candidates(session, job, [{"emt": None}])
        found = str(job.id)
    assert client.get(f"/v1/jobs/{found}/overview").json()["candidates"][0]["energies"] == {}
    assert client.post(f"/v1/jobs/{found}/selections:preview", json={}).status_code == 409


def test_the_adsorbates_are_those_that_jobs_may_name(client):
    found = client.get("/v1/adsorbates").json()["adsorbates"]
    assert len(found) == 86
    carbon = next(one for one in found if one["name"] == "*CO")
    assert (carbon["symbols"], carbon["binding"], len(carbon["positions"])) == (["C", "O"], [0], 2)
