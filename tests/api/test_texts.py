"""Texts of answers hold nothing that steers a terminal, wherever they came from: reasons of members' packages, files, older rows."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import func, text, update

from api.app import create_app
from api.view import View
from shared.database.tables import Candidate, Job, MemberEnergy, Minimum, Score, Selection, Worker
from shared.settings import Settings
from shared.states import State
from tests.api.test_selections import finished  # noqa: F401
from tests.shared.database.jobs import add_reference

HOSTILE, SHOWN = "a\x1b[2Jb\u202ec", r"a\x1b[2Jb\u202ec"
OTHERWISE = {"shared.scales", "shared.cautions", "api.problems"}
"""Models of the site's own file, which its administrator wrote; and problems, which are put together in one place."""


def models(annotation: Any, found: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """All models within an annotation."""
    if get_origin(annotation) is Annotated:
        return models(get_args(annotation)[0], found)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in found:
            found.add(annotation)
            for field in annotation.model_fields.values():
                models(field.annotation, found)
        return found
    for part in get_args(annotation):
        models(part, found)
    return found


def routes(among: list[Any]) -> Iterator[Any]:
    for route in among:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from routes(included.routes)


def test_every_model_of_an_answer_is_a_view():
    app = create_app(Settings(database_url="postgresql://a:b@127.0.0.1/c", broker_url="redis://127.0.0.1"))
    found: set[type[BaseModel]] = set()
    for route in routes(app.routes):
        models(getattr(route, "response_model", None), found)
    assert len(found) > 50
    bare = {model for model in found if not issubclass(model, View) and model.__module__ not in OTHERWISE}
    with_texts = {
        model.__name__ for model in bare if any("str" in str(f.annotation) for f in model.model_fields.values())
    }
    assert with_texts == set()


@pytest.fixture
def poisoned(service, finished) -> Iterator[tuple[Any, str]]:  # noqa: F811
    client, job, ids = finished
    with service.opened.begin() as session:
        session.execute(update(Candidate).where(Candidate.id == ids[0]).values(site=HOSTILE))
        mine = Selection.job_id == UUID(job)
        session.execute(update(Selection).where(mine).values(reference=HOSTILE))
        session.execute(update(Minimum).where(Minimum.job_id == UUID(job)).values(reason=HOSTILE))
        session.execute(update(Score).where(Score.candidate_id.in_(ids)).values(reason=HOSTILE, verdict=HOSTILE))
        failed = (MemberEnergy.candidate_id == ids[2], MemberEnergy.state == State.FAILED)
        session.execute(update(MemberEnergy).where(*failed).values(failure_reason=HOSTILE))
        reference = add_reference(session, session.get_one(Job, UUID(job)), state=State.FAILED)
        reference.failure_reason = reference.label = HOSTILE
        hosted = {"member": "emt", "state": "unfit", "reason": HOSTILE, "loads": 0, "hits": 0, "evaluations": 0}
        session.add(
            Worker(
                name=f"bad {job}", host="here", pid=1, kind="potentials", members=["emt"], device="cpu", ready=False, reason=HOSTILE,
                member_states=[hosted | {"load_s": None, "memory_bytes": None, "batch_atoms": None}],
                started_at=func.now(), heartbeat_at=func.now(),
            )
        )  # fmt: skip
        session.flush()
    yield client, job
    with service.opened.begin() as session:
        session.execute(text("DELETE FROM workers WHERE name LIKE 'bad %'"))


@pytest.mark.parametrize(
    "address",
    [
        "/v1/jobs/{job}/minima",
        "/v1/jobs/{job}/candidates",
        "/v1/jobs/{job}/selections",
        "/v1/references",
        "/v1/workers",
    ],
)
def test_reasons_and_names_are_shown_with_escapes(poisoned, address):
    client, job = poisoned
    answer = client.get(address.format(job=job))
    assert answer.status_code == 200, answer.text
    assert SHOWN in strings(answer.json())
    assert not [one for one in strings(answer.json()) if "\x1b" in one or "\u202e" in one]


def strings(document: Any) -> list[str]:
    if isinstance(document, dict):
        return [one for pair in document.items() for part in pair for one in strings(part)]
    if isinstance(document, list):
        return [one for part in document for one in strings(part)]
    return [document] if isinstance(document, str) else []


def test_long_arrays_and_what_can_be_seen_stay_as_they_are():
    class Some(View):
        numbers: list[list[float]]
        texts: tuple[str, ...]
        document: dict[str, Any]

    made = Some(numbers=[[1.0, 2.0]], texts=("Å → α", "\x9b"), document={"a\x07": ["b\x00", {"c": 1}]})
    assert made.numbers == [[1.0, 2.0]]
    assert made.texts == ("Å → α", r"\x9b")
    assert made.document == {r"a\x07": [r"b\x00", {"c": 1}]}
