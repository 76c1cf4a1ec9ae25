"""Every page in both themes and at the width of a phone: nothing sticks out, and axe finds no serious fault. `PICTURES=folder` keeps
the screenshots there, and makes those of the README anew."""

import os
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import TimeoutError
from sqlalchemy import select

from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import NewCalibration
from shared.database.repositories.users import Role, create_key
from shared.database.tables import Group, User, Worker
from shared.parameters import Spread
from tests.shared.database.jobs import OWN
from tests.web import seeds
from tests.web.conftest import DESK, SLOW_MS

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
OF_README = {"job", "new-job"}
CUT_OFF = """[...document.querySelectorAll(".scroll .verdict, .scroll button, .scroll.stacks td")].filter(
    one => innerWidth <= 600 || !one.matches("td")).some(
    one => one.getBoundingClientRect().right > one.closest(".scroll").getBoundingClientRect().right + 1)"""
"""What was decided, or can be done, and on a phone all but the energies of minima, is in sight without a scroll to the side."""
PAGES = [
    "jobs", "new-job", "new-smiles", "new-all", "job", "job-compared", "job-hops", "job-running", "learn", "workers", "admin",
    "admin-user", "sign-in",
]  # fmt: skip


@pytest.fixture(scope="module")
def lab(service):
    """An administrator's key, a finished and a running job."""
    name = f"lab-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        key = create_key(session, name, Role.ADMIN)
        finished = seeds.finished(session, name)
        seeds.mind(session, finished)
        done = str(finished.id)
        running = str(seeds.searching(session, name, "OH on Pt(111), being searched", candidates=10).id)
        failed = seeds.searching(session, name, "COOH on Cu(211)", candidates=2)
        failed.state, failed.ended_at = "failed", failed.created_at
        failed.failure_kind, failed.failure_reason = "no_minimum", "no walker found a sound minimum within 200 steps"
        seeds.labelled(session, name, jobs=6, candidates=15)
        seeds.unlabelled(session, name)
        _calibrations(session, name)
        session.add(Group(name=f"group {name}"))
        there = datetime.now(UTC) + timedelta(hours=1)  # heard of for as long as these tests take
        session.add(
            Worker(
                name="cpu-0@lab", host="lab", pid=4020, kind="cpu", device="", ready=True, heartbeat_at=there, reason="",
                memory_bytes=310_000_000, members=[], member_states=[],
            )
        )  # fmt: skip
        state = {
            "member": "chgnet-0.3.0",
            "state": "resident",
            "reason": "",
            "load_s": 4.1,
            "memory_bytes": 812_000_000,
        }
        counted = {"batch_atoms": 4096, "loads": 1, "hits": 88, "evaluations": 15_310}
        session.add(
            Worker(
                name="potentials-0@lab", host="lab", pid=4021, kind="potentials", device="NVIDIA A100 40 GB", ready=True,
                heartbeat_at=there,
                reason="", memory_bytes=2_100_000_000, members=["chgnet-0.3.0"], member_states=[state | counted],
            )
        )  # fmt: skip
    return key, done, running


def _calibrations(session, name: str) -> None:
    """One in force, one that an earlier one gave way to, and one that kept no promise."""
    user = session.scalars(select(User.id).where(User.name == name)).one()
    share = {"hits": 62, "count": 90, "low": 0.6, "high": 0.8}
    report = {"target": {"share": 0.9, "error": 0.1}, "count": 90, "systems": 30, "kept": share}
    report |= {"within": {"hits": 59, "count": 62, "low": 0.87, "high": 0.99}}
    report |= {"held_out": {"halves": 20, "learned": 18, "reached": 15, "kept": 17}}
    for number, limit in enumerate((0.19, 0.14, None)):
        new = NewCalibration(["alpha", "beta"], "RPBE", Spread.STD, limit, report, [number], {}, scale=OWN)
        made, _ = calibrations.propose(session, new, user, most=99)
        if limit is not None:
            calibrations.publish(session, made.id, user)


def shown(visit, page: str, lab) -> None:
    """Go there, and wait until it is all there."""
    key, done, running = lab
    if page == "sign-in":
        visit.page.goto(visit.url + "/")
        visit.page.locator("#key").wait_for()
        return
    visit.sign_in(key)
    if page == "new-job":
        visit.go("/new")
        visit.page.set_input_files("#structure-file", {"name": "POSCAR", "mimeType": "text/plain", "buffer": POSCAR})
        visit.page.locator("button[title='*CO']").click()
        visit.page.locator("button.large:not([disabled])").wait_for()
        visit.page.locator(".viewer canvas").wait_for()
    elif page == "new-smiles":
        visit.go("/new")
        visit.page.get_by_role("button", name="an element").click()
        visit.page.get_by_role("button", name="SMILES").click()
        visit.page.get_by_label("SMILES", exact=True).fill("C[CH]O")
        visit.page.get_by_role("button", name="Build it").click()
        visit.page.get_by_label("C 1", exact=True).check()
        visit.page.locator("button.large:not([disabled])").wait_for()
        visit.page.locator(".viewer canvas").wait_for()
    elif page == "new-all":
        visit.go("/new")
        depths = visit.page.get_by_role("group", name="How many are shown")
        depths.get_by_role("button", name="all").click()
        visit.page.get_by_label("slab_slack").focus()
        visit.page.locator(".group p").wait_for()
    elif page in ("job", "job-compared", "job-hops"):
        visit.go(f"/jobs/{done}")
        visit.page.locator(".minima tbody").first.wait_for()
        if page == "job-compared":
            visit.page.locator(".minima tbody").nth(1).get_by_role("button", name="Compare").click()
            visit.page.locator(".side.two .viewer canvas").nth(1).wait_for()
        if page == "job-hops":
            visit.page.get_by_role("button", name="Hops of walker").first.click()
            visit.page.locator(".hop-plot").wait_for()
            visit.page.get_by_role("button", name="Show in 3-D").click()
            visit.page.locator(".viewer canvas").nth(1).wait_for()
        visit.page.locator(".viewer canvas").first.wait_for()
    elif page == "job-running":
        visit.go(f"/jobs/{running}")
        visit.page.locator(".chart canvas").wait_for()
    elif page == "learn":
        visit.go("/learn")
        visit.page.locator(".parity .point").first.wait_for()
        visit.page.locator(".calibrations tbody tr").first.wait_for()
        visit.page.locator(".next tbody tr").first.wait_for()
    elif page == "admin-user":
        visit.go("/admin")
        visit.page.get_by_role("button", name="Keys and quotas of lab-").first.click()
        visit.page.get_by_label("Open jobs", exact=True).wait_for()
    else:
        visit.go({"jobs": "/", "workers": "/workers", "admin": "/admin"}[page])
        visit.page.locator("table tbody tr").first.wait_for()
    visit.page.wait_for_timeout(1200)  # what is drawn by WebGL


@pytest.mark.parametrize("page", PAGES)
def test_a_page_looks_right(visit, lab, page):
    shown(visit, page, lab)
    here = visit.page
    if page == "job":
        here.locator(".meaning .callout").wait_for()
    kept = os.environ.get("PICTURES")
    for theme in ("light", "dark"):
        here.emulate_media(color_scheme=theme)
        for name, size in (("desk", DESK), ("phone", PHONE)):
            here.set_viewport_size(size)
            here.wait_for_timeout(500)
            _wait_to_fit(here, size["width"])  # charts follow a moment later
            wide = here.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{page} is {wide} px wide at {size['width']} px"
            assert not here.evaluate(CUT_OFF), f"{page}: a table is cut off at {size['width']} px"
            if kept:
                here.screenshot(path=Path(kept) / f"{page}-{theme}-{name}.png", full_page=True)
        assert not faults(here), (page, theme)
    if kept and page in OF_README:
        here.emulate_media(color_scheme="light")
        here.set_viewport_size({"width": 1180, "height": 1260 if page == "job" else 760})
        here.wait_for_timeout(1500)
        here.screenshot(path=ROOT / "docs" / "pictures" / f"{page}.png")


def _wait_to_fit(page, width: int) -> None:
    with suppress(TimeoutError):
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width, timeout=SLOW_MS)


def faults(page) -> list[str]:
    """Serious ones, by axe-core (WCAG 2.1 AA)."""
    page.evaluate(AXE.read_text("utf-8") + "; undefined")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_everything_is_reached_by_keyboard(visit, lab):
    visit.sign_in(lab[0])
    page = visit.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to the page"
    seen = set()
    for _ in range(100):  # more than there are places on it
        page.keyboard.press("Tab")
        seen.add(page.evaluate("(document.activeElement.textContent || document.activeElement.ariaLabel || '').trim()"))
    assert {"Jobs", "New job", "Workers", "Sign out", "CO on Pt(111)"} <= seen
    page.get_by_role("link", name="CO on Pt(111)").focus()
    page.keyboard.press("Enter")
    page.get_by_role("slider").focus()
    before = page.locator("output").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator("output").inner_text() != before


POSCAR = b"""Pt(111), p(2x2), lowest layer fixed
1.0
5.614428 0.0 0.0
2.807214 4.862237 0.0
0.0 0.0 20.584208
Pt
12
Selective dynamics
Cartesian
0.000000 1.620746 8.000000 F F F
2.807214 1.620746 8.000000 F F F
1.403607 4.051864 8.000000 F F F
4.210821 4.051864 8.000000 F F F
1.403607 0.810373 10.292104 T T T
4.210821 0.810373 10.292104 T T T
2.807214 3.241491 10.292104 T T T
5.614428 3.241491 10.292104 T T T
0.000000 0.000000 12.584208 T T T
2.807214 0.000000 12.584208 T T T
1.403607 2.431119 12.584208 T T T
4.210821 2.431119 12.584208 T T T
"""
