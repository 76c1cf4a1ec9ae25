"""The page on the architecture names what is there: stops of a job, rooms and their imports, states, shelves."""

import re
import tomllib
from typing import Any

import pytest

from shared.states import JOB, REFERENCE, Stage, State, check_stage
from tests.local.test_documents import ROOT, defined

PAGE = (ROOT / "docs" / "architecture.md").read_text()
README = (ROOT / "README.md").read_text()
STOPS = re.findall(r"^(\d+)\. `([\w/]+\.py):([\w.]+)`", PAGE, re.MULTILINE)
PLACES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))
LINTER: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
MOST_STOPS = 12


def section(title: str) -> str:
    """What stands under a heading."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_the_way_of_a_job_has_at_most_twelve_stops_counted_from_one():
    numbered = re.findall(r"^(\d+)\. ", section("The way of a job"), re.MULTILINE)
    assert [number for number, _, _ in STOPS] == numbered == [str(n + 1) for n in range(len(numbered))]
    assert 0 < len(numbered) <= MOST_STOPS


@pytest.mark.parametrize(("path", "name"), PLACES)
def test_every_place_that_is_named_exists(path, name):
    assert (ROOT / path).is_file(), path
    assert defined(path, name), f"{path} has no {name}"


def imports_allowed() -> dict[str, str]:
    """By room, the column of the import table that says what it may import."""
    rows = re.findall(r"^\| `(\w+)/` \| ([^|]*) \|", section("Who may import whom"), re.MULTILINE)
    return dict(rows)


def test_the_import_table_names_the_rooms_that_the_contracts_know():
    assert set(imports_allowed()) == set(LINTER["root_packages"])


def forbidden(room: str) -> set[str]:
    """Rooms that the contracts forbid to this one, without exception."""
    found: set[str] = set()
    for contract in LINTER["contracts"]:
        if contract["type"] == "forbidden" and room in contract["source_modules"]:
            exceptions = {line.split(" -> ")[1].split(".")[0] for line in contract.get("ignore_imports", [])}
            found |= set(contract["forbidden_modules"]) - exceptions
    return found & set(LINTER["root_packages"])


@pytest.mark.parametrize("room", LINTER["root_packages"])
def test_no_room_is_said_to_import_what_its_contracts_forbid(room):
    said = set(re.findall(r"`(\w+)/`", imports_allowed()[room]))
    assert not said & forbidden(room)


def arrows(diagram: str) -> set[tuple[str, str]]:
    return set(re.findall(r"^\s*(\w+) --> (\w+)", diagram, re.MULTILINE))


@pytest.mark.parametrize(("number", "allowed"), [(0, JOB), (1, REFERENCE)], ids=["job", "row"])
def test_the_diagrams_of_states_are_those_of_the_code(number, allowed):
    """A reference moves as other rows do, and once more, which its arrow says."""
    diagrams = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
    assert len(diagrams) == 2
    drawn = {(old, new) for old, new in arrows(diagrams[number]) if old in list(State)}
    assert drawn == {(old, new) for old, following in allowed.items() for new in following}


def test_the_stages_of_the_diagram_follow_one_another():
    stages = [(Stage(old), Stage(new)) for old, new in sorted(arrows(PAGE)) if old in list(Stage)]
    assert len(stages) == len(Stage) - 2  # the last one is told in words
    for old, new in stages:
        check_stage(old, new)


def shelves() -> list[str]:
    rooms = ("services", "worker", "api", "shared")
    found = [file.parent for room in rooms for file in (ROOT / room).rglob("__init__.py")]
    return sorted(str(folder.relative_to(ROOT)) for folder in found if folder.parent != ROOT)


@pytest.mark.parametrize("shelf", shelves())
def test_every_shelf_is_named_in_the_layout(shelf):
    """By its whole path, or, in the row of its room, without the room."""
    room, _, rest = shelf.partition("/")
    row = "".join(re.findall(rf"^\| `{room}/` \|.*", README, re.MULTILINE))
    assert f"`{rest}/`" in row or f"`{shelf}/`" in README + PAGE
