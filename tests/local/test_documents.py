"""The pages say what is true: settings, targets, links, paths and names; and they can be read in a terminal."""

import ast
import re
from pathlib import Path

import pytest

from shared.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "client" / "README.md",
    ROOT / "tests" / "checkpoints" / "README.md",
    ROOT / "benchmarks" / "challenge" / "checkpoints" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
COLUMNS = 120
ROOMS = ("api", "worker", "services", "shared", "evaluation", "local", "client", "benchmarks", "tests")
FOLDERS = (*ROOMS, "docs", "requirements", ".ci")
OF_THE_CLIENT = {"ADHOP_URL", "ADHOP_KEY", "ADHOP_KEY_FILE"}
FORMER_SETTINGS = {"ADHOP_DEAF_WORKER_S", "ADHOP_MODELS_DIR"}
"""Named in the changelog alone."""
PLACEHOLDER = r"NAME|NNNN.words"
"""Stands in a path or a module for what its author will call it."""

on_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def test_the_table_of_settings_is_that_of_the_code():
    text = (ROOT / "docs" / "operations.md").read_text()
    table = dict(re.findall(r"^\| `ADHOP_(\w+)` \| (\S+) \|", text, re.MULTILINE))
    expected = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else str(default).removesuffix(".0")
        expected[name.upper()] = shown if default not in (None, ()) else "none"
        if field.is_required():
            expected[name.upper()] = "required"
    assert {key: value.strip("`").removesuffix(".0") for key, value in table.items()} == expected


@on_every_page
def test_every_setting_that_is_named_exists(page):
    known = {f"ADHOP_{name.upper()}" for name in Settings.model_fields} | OF_THE_CLIENT
    if page.name == "CHANGELOG.md":
        known |= FORMER_SETTINGS
    assert set(re.findall(r"\bADHOP_[A-Z_]+\b", page.read_text())) <= known


@on_every_page
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@on_every_page
def test_every_make_target_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets


@on_every_page
def test_lines_wrap(page):
    """Rows of tables may be longer, and a line that is one word: a link or a piece of code can't be broken."""
    too_long = [
        line
        for line in page.read_text().splitlines()
        if len(line) > COLUMNS and not line.startswith("|") and breakable(line)
    ]
    assert not too_long


def breakable(line: str) -> list[str]:
    """The spaces of a line at which it could be broken: none inside code, none before the first word."""
    return re.findall(r"(?<=\S) (?=\S)", re.sub(r"`[^`]*`", "code", line.lstrip(" -*")))


@on_every_page
def test_every_path_that_is_named_exists(page):
    """Paths in backticks that begin with a folder of the project, with or without the name of something in the file."""
    folders = "|".join(map(re.escape, FOLDERS))
    for path, name in re.findall(rf"`((?:{folders})/[\w./-]*)(?::([\w.]+))?`", page.read_text()):
        assert any(ROOT.glob(re.sub(PLACEHOLDER, "*", path))), path
        assert not name or defined(path, name), f"{path} has no {name}"


@on_every_page
def test_every_module_that_is_named_exists(page):
    """`python -m room.module`, and `room.module.Name` in backticks."""
    text = page.read_text()
    rooms = "|".join(ROOMS)
    for module in re.findall(rf"python -m ((?:{rooms})(?:\.\w+)*)", text):
        assert runnable(module) or re.search(PLACEHOLDER, module), module
    for dotted in re.findall(rf"`((?:{rooms})(?:\.\w+)+)`", text):
        assert named(dotted), dotted


def runnable(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def named(dotted: str) -> bool:
    """Whether this is a package, a module, or something that a module defines."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        if length == len(parts) and path.is_dir():
            return True
        if path.with_suffix(".py").is_file():
            return length == len(parts) or defined("/".join(parts[:length]) + ".py", ".".join(parts[length:]))
    return False


def defined(path: str, name: str) -> bool:
    """Whether a file of the project has this function, class, or `Class.method`."""
    body: list[ast.stmt] = ast.parse((ROOT / path).read_text()).body
    for part in name.split("."):
        found = [
            node
            for node in body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == part
        ]
        if not found:
            return False
        body = found[0].body
    return True
