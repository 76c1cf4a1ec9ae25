"""One lab for the whole suite; every test starts from its usual state and ends with the invariants checked."""

from collections.abc import Iterator

import pytest

from tests.stack.chaos.lab import Lab


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("chaos"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def lab(laboratory: Lab) -> Lab:
    laboratory.heal()
    return laboratory
