"""What open pages are told, and what they may not hear of."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from sqlalchemy import select

from api.events import broadcast
from shared.database.tables import Group, Job, Membership, User
from shared.states import Stage, State
from tests.shared.database.jobs import add_candidates, add_job


@dataclass
class Heard:
    """Events of one stream, as they came."""

    status: int
    events: list[tuple[str, object]] = field(default_factory=list)

    def of(self, kind: str) -> list:
        return [data for name, data in self.events if name == kind]

    def wait(self, kind: str, n: int = 1, seconds: float = 20) -> list:
        until = time.monotonic() + seconds
        while len(self.of(kind)) < n and time.monotonic() < until:
            time.sleep(0.05)
        return self.of(kind)


@contextmanager
def listening(client: httpx.Client, *jobs: str) -> Iterator[Heard]:
    """A stream of this client's, read in a thread."""
    with client.stream("GET", "/v1/events", params={"job": list(jobs)}, timeout=60) as answer:
        heard = Heard(answer.status_code)

        def read() -> None:
            name = ""
            try:
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        heard.events.append((name, json.loads(line.removeprefix("data: "))))
            except (httpx.HTTPError, httpx.StreamError):
                return

        thread = threading.Thread(target=read, daemon=True)
        if answer.status_code == 200:
            thread.start()
        yield heard
        answer.close()


def searching(service, client) -> str:
    with service.opened.begin() as session:
        return str(add_job(session, user=client.get("/v1/me").json()["name"], state=State.RUNNING).id)


def test_a_page_hears_what_is_there_and_then_what_changes(service, client):
    job = searching(service, client)
    with listening(client, job) as heard:
        assert heard.wait("job")[0] == client.get(f"/v1/jobs/{job}").json()
        with service.opened.begin() as session:
            add_candidates(session, session.get_one(Job, job), [{"emt": -1.5}])
        assert heard.wait("job", 2)[-1]["progress"]["candidates"]["total"] == 1
        with service.opened.begin() as session:
            row = session.get_one(Job, job)
            row.state, row.stage, row.ended_at = State.SUCCEEDED, Stage.DONE, row.created_at
        assert heard.wait("job", 3)[-1]["state"] == "succeeded"
        told = len(heard.of("job"))
        time.sleep(2.5)
        assert len(heard.of("job")) == told  # nothing changed since


def test_a_page_hears_of_new_jobs_of_its_user_alone(service, client):
    job = searching(service, client)
    with listening(client) as heard:
        (first,) = heard.wait("newest")
        with service.client() as other:
            searching(service, other)
        newer = searching(service, client)
        _, second = heard.wait("newest", 2)
        assert second > first
        assert not heard.of("job")
        assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [newer, job]


def test_who_comes_while_a_look_is_under_way_is_told_what_the_next_one_finds(service, client, monkeypatch):
    seen, go_on, look = threading.Event(), threading.Event(), broadcast.look

    def slow(*words):
        found = look(*words)
        seen.set()
        go_on.wait(20)
        return found

    searching(service, client)
    monkeypatch.setattr(broadcast, "look", slow)
    with service.client() as other, listening(other) as others:
        assert seen.wait(20)
        with listening(client) as heard:
            time.sleep(0.5)  # until it is among those who listen
            go_on.set()
            assert others.wait("newest") == [None]
            (first,) = heard.wait("newest")
            assert first is not None


def test_nobody_hears_of_anothers_job_until_it_is_shared(service, client):
    with service.client() as owner:
        job = searching(service, owner)
        with listening(client, job) as heard:
            heard.wait("newest")
            time.sleep(2.5)
            assert not heard.of("job")
            with service.opened.begin() as session:
                group = Group(name=f"of {job}")
                session.add(group)
                session.flush()
                name = client.get("/v1/me").json()["name"]
                mine = session.scalars(select(User.id).where(User.name == name)).one()
                session.add(Membership(group_id=group.id, user_id=mine))
                session.get_one(Job, job).group_id = group.id
            assert heard.wait("job")[0]["id"] == job


def test_a_deleted_job_is_not_told_of_any_more(service, client):
    job = searching(service, client)
    client.delete(f"/v1/jobs/{job}")
    client.delete(f"/v1/jobs/{job}/data")
    with listening(client, job) as heard:
        heard.wait("newest")
        time.sleep(2.5)
        assert not heard.of("job")


def test_streams_take_no_place_from_requests_and_have_a_limit_of_their_own(service, client):
    streams = []
    try:
        limits = httpx.Limits(max_connections=100)
        headers = client.headers
        with httpx.Client(base_url=service.url, headers=headers, limits=limits) as many:
            for _ in range(64):
                stream = many.stream("GET", "/v1/events")
                assert stream.__enter__().status_code == 200
                streams.append(stream)
            with many.stream("GET", "/v1/events") as refused:
                assert refused.status_code == 429
            assert client.get("/v1/me").status_code == 200
            for stream in streams:
                stream.__exit__(None, None, None)
            streams.clear()
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)


def test_a_stream_needs_a_key(service):
    assert httpx.get(f"{service.url}/v1/events").status_code == 401
