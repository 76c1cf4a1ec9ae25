"""The whole OpenAPI document, fuzzed by schemathesis: no server error, and no answer that the document doesn't announce.

A few cases of each operation run everywhere; `make fuzz` runs ten thousand (ADHOP_FUZZ_CASES). Cases that are fit for an operation
name what is there: jobs, candidates, references, calibrations, groups, users and keys; what administrators do is asked for by one.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from sqlalchemy import select

from api.app import create_app
from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import NewCalibration
from shared.database.repositories.users import Role, create_key
from shared.database.tables import Group, Job, Membership, ReferenceEnergy, User
from shared.parameters import Spread
from shared.settings import Settings
from shared.states import Stage, State
from tests.api.conftest import Service
from tests.api.structures import BULK_JOB
from tests.shared.database.jobs import OWN, add_candidates, add_job, add_reference
from tests.shared.database.test_selections import MEMBERS, decided

CASES = int(os.environ.get("ADHOP_FUZZ_CASES", "250"))
DOCUMENT = create_app(Settings(database_url="postgresql://nobody@nowhere/x", broker_url="redis://nowhere/0")).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {f"{found.ok().method.upper()} {found.ok().path}": found.ok() for found in SCHEMA.get_all_operations()}
checks.load_all_checks()
CHECKS = checks.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
    ]
)
ENDLESS = {"GET /v1/events"}
"""Answers that go on until whoever asks goes away: they have tests of their own."""


@dataclass(frozen=True)
class World:
    """What an operation finds."""

    headers: dict[str, str]
    """The key that it is asked with."""
    paths: dict[str, Iterator[Any]]
    """What there is, by the name of a parameter of the path."""


@pytest.fixture
def world(service: Service, name: str) -> World:
    """A user with jobs, one of them finished, and what goes with them; new for each operation, which may end any of it."""
    path = name.split()[1]
    user = f"fuzzed {name}"
    with service.client(Role.SUBMIT, name=user) as client:
        jobs = [client.post("/v1/jobs", json=BULK_JOB).json()["id"] for _ in range(2)]
        key = client.headers["Authorization"]
    with service.opened.begin() as session:
        finished = add_job(session, user=user, state=State.RUNNING)
        finished.score_members, finished.stage = list(MEMBERS), Stage.DONE
        finished.submission = session.get_one(Job, UUID(jobs[0])).submission
        found = add_candidates(
            session, finished, [{"a": -1.0, "b": -1.1, "c": -1.0}, {"a": -2.0, "b": -1.5, "c": -2.0}]
        )
        decided(session, finished)
        decided(session, finished, limit=0.5, number=1)
        finished.state, finished.ended_at, finished.last_selection = State.SUCCEEDED, finished.created_at, 1
        add_reference(session, finished, state=State.SUCCEEDED).positions = np.zeros((2, 3))
        reference = add_reference(session, finished, state=State.FAILED, member="another")
        label = ReferenceEnergy(
            candidate_id=found[0].id,
            adsorption_energy=-1.0,
            reference="x",
            functional="PBE",
            code="VASP",
            provenance="",
        )
        group, person = Group(name=f"group {name}"), session.scalars(select(User).where(User.name == user)).one()
        session.add_all([label, group])
        session.flush()
        session.add(Membership(group_id=group.id, user_id=person.id))
        new = NewCalibration(MEMBERS, "RPBE", Spread.STD, 0.2, {}, scale=OWN)
        numbers = {
            "calibrations": calibrations.propose(session, new, person.id, most=99)[0].id,
            "references": reference.id,
            "selections": 1,
            "candidates": label.id,
        }
        paths = {
            "job_id": [str(finished.id), *jobs],
            "candidate_id": [one.id for one in found],
            "group_id": [group.id],
            "user_id": [person.id],
            "prefix": [create_key(session, user, Role.SUBMIT).split("_")[1] for _ in range(3)],
            "number": [number for noun, number in numbers.items() if noun in path][:1] or [1],
        }
    for_administrators = path.startswith(("/v1/users", "/v1/groups")) or path.endswith(("/publish", "/withdraw"))
    headers = {"Authorization": f"Bearer {service.key(Role.ADMIN)}" if for_administrators else key}
    return World(headers, {one: cycle(values) for one, values in paths.items()})


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - ENDLESS))
@pytest.mark.filterwarnings("default")
def test_no_case_brings_a_server_error_or_an_answer_that_is_not_announced(service: Service, world: World, name: str):
    operation = OPERATIONS[name]
    excluded = [CHECKS[0]] if name == "GET /readyz" else []  # 503 is what it says where no broker listens
    each = max(4, CASES // len(OPERATIONS))
    takes_input = {"parameters", "requestBody"} & operation.definition.raw.keys()
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if takes_input else [GenerationMode.POSITIVE]
    for mode in modes:
        fuzz(operation, mode, each // len(modes), world, service.url, excluded)


def fuzz(operation, mode, n, world, url, excluded) -> None:
    """n cases of one operation, all fit for it or none."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=n,
        deadline=None,
        derandomize="ADHOP_FUZZ_CASES" not in os.environ,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE:
            for parameter in case.path_parameters.keys() & world.paths.keys():
                case.path_parameters[parameter] = next(world.paths[parameter])
        case.call_and_validate(base_url=url, headers=world.headers, checks=CHECKS, excluded_checks=excluded, timeout=30)

    run()


def test_every_route_of_accounts_is_among_them():
    for path in (
        "/v1/users",
        "/v1/groups",
        "/v1/audit",
        "/v1/usage",
        "/v1/references",
        "/v1/me/keys",
        "/v1/calibrations",
    ):
        assert any(path in name for name in OPERATIONS.keys() - ENDLESS)
