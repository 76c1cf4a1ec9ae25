"""The whole OpenAPI document, fuzzed by schemathesis: no server error, and no answer that the document doesn't announce.

A few cases of each operation run everywhere; `make fuzz` runs ten thousand (ADHOP_FUZZ_CASES).
"""

import os
from itertools import cycle

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks

from api.app import create_app
from shared.database.repositories.users import Role
from shared.settings import Settings
from tests.api.conftest import Service
from tests.api.structures import BULK_JOB

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


@pytest.fixture(scope="module")
def caller(service: Service) -> dict[str, str]:
    """A user with some jobs, so that paths lead somewhere."""
    with service.client(Role.SUBMIT) as client:
        for _ in range(3):
            assert client.post("/v1/jobs", json=BULK_JOB).status_code == 201
        return {"Authorization": client.headers["Authorization"]}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.filterwarnings("default")
def test_no_case_brings_a_server_error_or_an_answer_that_is_not_announced(service: Service, caller, name: str):
    operation = OPERATIONS[name]
    excluded = [CHECKS[0]] if name == "GET /readyz" else []  # 503 is what it says where no broker listens
    each = max(4, CASES // len(OPERATIONS))
    jobs = cycle(job["id"] for job in httpx.get(f"{service.url}/v1/jobs", headers=caller).json()["jobs"])
    takes_input = {"parameters", "requestBody"} & operation.definition.raw.keys()
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if takes_input else [GenerationMode.POSITIVE]
    for mode in modes:
        fuzz(operation, mode, each // len(modes), jobs, service.url, caller, excluded)


def fuzz(operation, mode, n, jobs, url, headers, excluded) -> None:
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
        if mode is GenerationMode.POSITIVE and "job_id" in case.path_parameters:
            case.path_parameters["job_id"] = next(jobs)
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, excluded_checks=excluded, timeout=30)

    run()
