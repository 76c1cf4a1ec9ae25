"""What comes with a job is shown as text, whatever it looks like."""

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from shared.database.repositories.users import Role, create_key
from shared.database.tables import Candidate
from tests.web import seeds

NAMES = [
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "\"><svg onload=document.title='owned'>",
    "{{constructor.constructor('document.title=1')()}}",
    "javascript:document.title='owned'",
    '=HYPERLINK("https://elsewhere.example","CO")',
]


@pytest.fixture
def hostile(service):
    name = f"hostile-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        key = create_key(session, name, Role.SUBMIT)
        jobs = []
        for words in NAMES:
            job = seeds.finished(session, name, words, candidates=8)
            job.surface = job.adsorbate = words
            job.warnings = [words]
            job.cautions = [f"mind {words}"]
            for candidate in session.query(Candidate).filter_by(job_id=job.id):
                candidate.site = words
            jobs.append(str(job.id))
    return key, jobs


def test_names_sites_and_warnings_run_nothing(visit, hostile):
    key, jobs = hostile
    visit.sign_in(key)
    page = visit.page
    for words in NAMES:
        expect(page.get_by_role("link", name=words, exact=True)).to_be_visible()
    for words, job in zip(NAMES, jobs, strict=True):
        visit.go(f"/jobs/{job}")
        expect(page.get_by_role("heading", name=words, exact=True)).to_be_visible()
        page.locator(".minima tbody").first.wait_for()
        expect(page.locator(".callout.warn")).to_have_count(2)
        for told in page.locator(".callout.warn").all():
            expect(told).to_contain_text(words)
        expect(page.locator(".minima")).to_contain_text(words)
        page.get_by_role("button", name="Hops of walker").first.click()
        expect(page.locator(".hops-of")).to_contain_text(words)
    assert page.title() == "Adhop"
    assert page.locator("main img, main script, [onload], [onerror]").count() == 0
    assert all(url.startswith((visit.url, "blob:", "data:")) for url in visit.asked)
    assert not visit.complaints


def test_a_site_is_no_formula_of_a_spreadsheet(visit, hostile):
    key, jobs = hostile
    visit.sign_in(key)
    page = visit.go(f"/jobs/{jobs[-1]}")
    page.locator(".minima tbody").first.wait_for()
    with page.expect_download() as got:
        page.get_by_role("button", name="All candidates, CSV").click()
    text = Path(got.value.path()).read_text("utf-8")
    assert "=HYPERLINK" in text
    assert ",=HYPERLINK" not in text
    assert ',"=HYPERLINK' not in text


def test_the_policy_stops_what_would_be_run(visit, hostile):
    """As the last line: a script that got in could neither run nor ask elsewhere."""
    visit.sign_in(hostile[0])
    found = visit.page.evaluate(
        """async () => {
            const node = document.createElement("script");
            node.textContent = "document.title = 'owned'";
            document.body.append(node);
            let asked = "";
            try { await fetch("https://elsewhere.example/"); asked = "sent"; } catch { asked = "stopped"; }
            return [document.title, asked];
        }"""
    )
    assert found == ["Adhop", "stopped"]


def test_a_hostile_file_is_refused_in_words(visit, hostile):
    visit.sign_in(hostile[0])
    page = visit.go("/new")
    text = b"<img src=x onerror=alert(1)>\n1.0\nnot a cell\n"
    page.set_input_files("#structure-file", {"name": "<b>POSCAR</b>", "mimeType": "text/plain", "buffer": text})
    page.locator("button[title='*CO']").click()
    expect(page.locator(".side").get_by_role("alert")).to_be_visible()
    expect(page.locator(".drop b")).to_have_text("<b>POSCAR</b>")
    expect(page.get_by_role("button", name="Queue this job")).to_be_disabled()
