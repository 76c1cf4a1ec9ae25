"""The pages say what is true: settings, targets, links."""

import re
from pathlib import Path

import pytest

from shared.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "client" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets
