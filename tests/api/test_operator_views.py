"""What an operator sees: a job's attempts, the numbers of /metrics, and a request's id."""

import re
import time

import httpx
import pytest
from sqlalchemy import select

from api.metrics.kept import KeptMetrics
from shared.database.repositories.workers import beat
from shared.database.tables import MemberEnergy, Reference, User, Walker
from shared.errors import Diverged
from shared.states import State
from tests.api.conftest import Service
from tests.shared.database.jobs import add_candidates, add_job, add_reference
from worker.queue import claims, eligible


@pytest.fixture
def owned(service: Service):
    """A user's client, and that user's name."""
    with service.client() as client:
        with service.opened() as session:
            name = session.query(User).order_by(User.id.desc()).first().name
        yield client, name


def samples(text: str) -> dict[str, float]:
    """Sample by its name and labels; every line must be a comment or a sample."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("# "):
            match = re.fullmatch(r'([a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) (\S+)', line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


def claim(session, table, eligible):
    return claims.lease_of(claims.claim(session, table, eligible, owner="here:1", lease_s=60, limit=1)[0])


def test_attempts_are_listed_with_their_reasons_and_those_of_shared_references(service, owned):
    client, name = owned
    with service.opened.begin() as session:
        job = add_job(session, user=name)
        add_reference(session, job)
        other = add_job(session, user="somebody else", walkers=0)
        lease = claim(session, Reference, eligible.references("emt"))
        claims.fail(session, lease, Diverged("the slab ran away"), "here:1")
        broken = claims.claim(session, Walker, eligible.walkers("emt"), owner="here:2", lease_s=60, limit=1)
        assert not broken  # its reference failed
    page = client.get(f"/v1/jobs/{job.id}/attempts").json()
    assert page["next"] is None
    (one,) = page["attempts"]
    assert (one["work"], one["number"], one["worker"]) == ("reference", 1, "here:1")
    assert (one["kind"], one["reason"]) == ("diverged", "the slab ran away")
    assert client.get(f"/v1/jobs/{other.id}/attempts").status_code == 404


def test_attempts_come_in_pages(service, owned):
    client, name = owned
    with service.opened.begin() as session:
        job = add_job(session, user=name, walkers=3)
        for _ in range(3):
            claims.fail(session, claim(session, Walker, eligible.walkers("emt")), Diverged("far"), "here:1")
    first = client.get(f"/v1/jobs/{job.id}/attempts", params={"limit": 2}).json()
    second = client.get(f"/v1/jobs/{job.id}/attempts", params={"limit": 2, "cursor": first["next"]}).json()
    assert [len(first["attempts"]), len(second["attempts"])] == [2, 1]
    assert second["next"] is None
    assert len({one["item"] for one in first["attempts"] + second["attempts"]}) == 3


def test_metrics_count_what_the_database_holds(service, owned):
    client, name = owned
    before = samples(client.get("/metrics").text)
    with service.opened.begin() as session:
        job = add_job(session, user=name, walkers=3)
        add_reference(session, job, state=State.SUCCEEDED)
        lease = claim(session, Walker, eligible.walkers("emt"))
        claims.finish(session, lease, State.QUEUED, hop=1, force_calls=40)
        claims.fail(session, claim(session, Walker, eligible.walkers("emt")), Diverged("far"), "here:1")
        claim(session, Walker, eligible.walkers("emt"))
        (found,) = add_candidates(session, job, [{"emt": -1.0, "other": -1.1, "lost": None}])
        energies = session.scalars(select(MemberEnergy).where(MemberEnergy.candidate_id == found.id))
        for one in energies:
            one.relaxation_steps = 0 if one.member == "emt" else 7
        beat(
            session,
            name='a "strange" worker',
            host="here",
            pid=1,
            kind="potentials",
            device="cuda:0",
            members=["emt"],
            ready=False,
            reason="full",
            memory_bytes=123_000_000,
        )
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = samples(answer.text.replace('\\"', "'"))

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    walker = '{work="walker",member="emt"}'
    assert grown(f"adhop_queued{walker}") == 1
    assert grown(f"adhop_leases{walker}") == 1
    assert grown('adhop_attempts_failed_total{work="walker",kind="diverged"}') == 1
    assert grown('adhop_hops_total{member="emt"}') == 1
    # an evaluation is a call, and each step of a member that relaxes before it scores another; one that failed isn't counted
    calls = {member: grown(f'adhop_force_calls_total{{member="{member}"}}') for member in ("emt", "other", "lost")}
    assert calls == {"emt": 40 + 1, "other": 1 + 7, "lost": 0}
    assert after["adhop_oldest_seconds" + walker] >= 0
    strange = "worker=\"a 'strange' worker\""
    assert after[f'adhop_worker_ready{{{strange},kind="potentials",device="cuda:0"}}'] == 0
    assert after[f'adhop_worker_memory_bytes{{{strange},device="cuda:0"}}'] == 1.23e8
    assert answer.text.count("# TYPE adhop_queued gauge") == 1
    assert httpx.get(f"{service.url}/metrics").status_code == 401


def test_the_counts_of_a_large_database_are_told_as_they_last_were_while_they_are_counted_anew(service, owned):
    _, name = owned
    kept = KeptMetrics(many=0)

    def jobs() -> float:
        found = kept.metrics(service.opened)
        names = [one.name for one in found]
        assert len(dict.fromkeys(names)) == sum(one != before for one, before in zip(names, ["", *names], strict=False))
        return sum(one.value for one in found if one.name == "adhop_jobs")

    before = jobs()
    with service.opened.begin() as session:
        add_job(session, user=name)
        beat(session, name="beside", host="here", pid=1, kind="cpu", device="cpu", members=[], ready=True, reason="",
             memory_bytes=None)  # fmt: skip
    assert any(one.labels.get("worker") == "beside" for one in kept.metrics(service.opened))
    until = time.monotonic() + 20
    while jobs() == before:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert jobs() == before + 1


def test_every_answer_carries_an_id_and_a_sane_one_of_the_callers_is_kept(client):
    given = client.get("/v1/jobs", headers={"X-Request-ID": "run-7.a"})
    assert given.headers["X-Request-ID"] == "run-7.a"
    for strange in ("", "a b", "x" * 65):
        made = client.get("/nothing", headers={"X-Request-ID": strange})
        assert re.fullmatch(r"[0-9a-f]{32}", made.headers["X-Request-ID"])
