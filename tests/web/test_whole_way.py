"""From a POSCAR to DFT inputs by the page alone: real processes, with EMT; the front end is started anew in between."""

import json
import zipfile

import httpx
import pytest
from playwright.sync_api import expect

from local import processes
from local.stack import Stack
from tests.stack.conftest import FAST, start_workers
from tests.web.conftest import DESK, Visit
from tests.web.test_looks import POSCAR

pytestmark = pytest.mark.stack

DEFAULTS = {"ADHOP_DEFAULT_SEARCH_MEMBERS": "emt", "ADHOP_DEFAULT_SCORE_MEMBERS": "emt"}


def test_from_a_poscar_to_dft_inputs(browser, postgres, tmp_path):
    database = "whole_way"
    postgres.create_database(database, template="migrated")
    with Stack(tmp_path, FAST | DEFAULTS, postgres=postgres, database=database) as stack:
        stack.start_servers()
        key = stack.make_key()
        stack.start(processes.API)
        start_workers(stack, "emt")
        stack.wait_ready(180)
        made = httpx.post(f"{stack.url}/v1/me/sign-in-link", headers={"Authorization": f"Bearer {key}"}, timeout=120)
        context = browser.new_context(viewport=DESK, accept_downloads=True)
        visit = Visit(context.new_page(), stack.url)
        visit.page.goto(stack.url + made.json()["path"])
        job = _submit(visit)
        _restart(stack)
        page = visit.page
        expect(page.locator(".minima tbody").first).to_be_visible(timeout=240_000)
        with page.expect_download() as got:
            page.get_by_role("link", name="DFT inputs, VASP").click()
        names = zipfile.ZipFile(got.value.path()).namelist()
        assert any(name.startswith("rank0-candidate") for name in names)
        assert any(name.startswith("slab/") for name in names)
        assert job in page.url
        context.close()
    postgres.drop_database(database)


def _submit(visit: Visit) -> str:
    page = visit.page
    page.get_by_role("button", name="Start with a POSCAR").click()
    page.set_input_files("#structure-file", {"name": "CONTCAR", "mimeType": "text/plain", "buffer": POSCAR})
    page.locator("button[title='*CO']").click()
    page.get_by_role("button", name="common", exact=True).click()
    page.get_by_label("Placements", exact=True).fill("3")
    page.get_by_label("Hops a walker").fill("2")
    page.get_by_label("Walkers a member").fill("2")
    expect(page.locator(".side")).to_contain_text("Likely to cost")
    queue = page.get_by_role("button", name="Queue this job")
    expect(queue).to_be_enabled()
    queue.click()
    page.locator(".job-head").wait_for()
    found = page.url.rpartition("/")[2]
    asked = json.loads(page.evaluate("async id => await (await fetch(`v1/jobs/${id}`)).text()", found))
    assert asked["parameters"]["hopping"]["hops"] == 2
    return found


def _restart(stack: Stack) -> None:
    """The page that is open goes on by itself."""
    stack.stop_role(processes.API.name)
    stack.start(processes.API)
    stack.wait_ready(180)
