"""A real browser before the real front end; where there is no Chromium, these tests say so and are skipped."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from api.page.files import BUILT
from tests.api.conftest import client as client
from tests.api.conftest import make_database as make_database
from tests.api.conftest import service as service

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLOW_MS = 60_000
"""A busy machine of two cores that draws in 3-D without a GPU."""
DESK = {"width": 1360, "height": 860}
expect.set_options(timeout=SLOW_MS)


# A file's: while it is there, an event loop runs on this thread, and other tests of the same process can't run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: `apt-get install -y chromium`, as root, gets Debian's")
    if not (BUILT / "index.html").exists():
        pytest.fail("the page is not built: run `make web`")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


class Visit:
    """A page that somebody is signed in to, and what it complained of."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(SLOW_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda one: self.complaints.append(one.text) if one.type == "error" else None)
        page.on("request", lambda one: self.asked.append(one.url))

    def sign_in(self, key: str) -> None:
        self.page.goto(f"{self.url}/")
        self.page.fill("#key", key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Jobs").wait_for()
        self.complaints.clear()  # the first look, before the key: 401

    def sign_out(self) -> None:
        self.page.get_by_role("button", name="Sign out").click()
        self.page.locator("#key").wait_for()

    def go(self, place: str) -> Page:
        self.page.goto(f"{self.url}/#{place}")
        return self.page


@pytest.fixture
def visit(browser: Browser, service) -> Iterator[Visit]:
    context = browser.new_context(viewport=DESK, accept_downloads=True)
    made = Visit(context.new_page(), service.url)
    yield made
    context.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    return tmp_path_factory.mktemp("shots")
