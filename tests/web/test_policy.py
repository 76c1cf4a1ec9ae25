"""What the page's policy forbids, and that nothing on any page of ours asks for it."""

from uuid import uuid4

import httpx
import pytest

from shared.database.repositories.users import Role, create_key
from tests.web import seeds
from tests.web.test_looks import POSCAR

LISTEN = """window.violations = [];
document.addEventListener("securitypolicyviolation", one => {
    window.violations.push(`${one.effectiveDirective}: ${one.blockedURI}`);
});"""


@pytest.fixture
def watched(visit, service):
    """Signed in, with a finished job; what the policy forbids is noted."""
    name = f"strict-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        key = create_key(session, name, Role.ADMIN)
        job = str(seeds.finished(session, name).id)
        seeds.labelled(session, name, jobs=4)
    visit.page.add_init_script(LISTEN)
    visit.sign_in(key)
    return visit, job


def violations(page) -> list[str]:
    found: list[str] = page.evaluate("window.violations")
    return found


def test_the_policy_is_one_and_names_nothing_unsafe(service):
    (policy,) = httpx.get(f"{service.url}/").headers.get_list("Content-Security-Policy")
    for word in ("unsafe", "*", "http:", "https:", "wasm"):
        assert word not in policy
    script = next(one for one in policy.split("; ") if one.startswith("script-src"))
    assert script == "script-src 'self'"


def test_files_that_never_change_are_kept_by_the_browser(watched):
    visit, _ = watched
    page, seen = visit.page, []
    page.on("response", lambda one: seen.append((one.url, one.from_service_worker, one.headers.get("cache-control"))))
    page.reload()
    page.get_by_role("heading", name="Jobs").wait_for()
    told = {kept for url, _, kept in seen if "/assets/" in url}
    assert told == {"public, max-age=31536000, immutable"}
    took = page.evaluate(
        "performance.getEntriesByType('resource').filter(one => one.name.includes('/assets/')).map(one => one.transferSize)"
    )
    assert took
    assert not any(took)  # nothing came over the wire again


def test_no_page_asks_for_what_it_forbids(watched):
    visit, job = watched
    page = visit.page
    visit.go(f"/jobs/{job}")
    page.locator(".viewer canvas").first.wait_for()
    page.get_by_role("button", name="top").first.click()
    page.get_by_role("button", name="2×2").first.click()
    page.locator(".minima tbody").nth(1).get_by_role("button", name="Compare").click()
    page.locator(".side.two .viewer canvas").nth(1).wait_for()
    page.get_by_role("button", name="Hops of walker").first.click()
    page.locator(".hop-plot").wait_for()
    with page.expect_download():
        page.get_by_role("button", name="All candidates, CSV").click()
    visit.go("/new")
    page.set_input_files("#structure-file", {"name": "POSCAR", "mimeType": "text/plain", "buffer": POSCAR})
    page.locator("button[title='*CO']").click()
    page.locator(".viewer canvas").first.wait_for()
    page.get_by_role("button", name="all", exact=True).click()
    page.locator("fieldset.group").first.wait_for()
    visit.go("/learn")
    page.locator(".parity .point").first.wait_for()
    for place in ("/workers", "/admin", "/", "/nowhere"):
        visit.go(place)
        page.wait_for_timeout(400)
    page.get_by_role("button", name="Colours").click()
    assert violations(page) == []
    assert not visit.complaints


def test_text_is_never_run_as_script(watched):
    """3Dmol holds an `eval`: were it ever reached, it would end here."""
    visit, _ = watched
    page = visit.page
    page.evaluate("() => { setTimeout(\"document.title = 'owned'\", 0); }")
    page.wait_for_function("window.violations.length > 0")
    assert violations(page) == ["script-src: eval"]
    assert page.title() == "Adhop"
