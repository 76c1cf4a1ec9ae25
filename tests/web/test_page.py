"""The page as people use it, on jobs that are there already."""

import csv
import io
import re
import time
import zipfile
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from shared.database.repositories.users import Role, create_key
from shared.database.tables import MemberEnergy
from tests.web import seeds


@pytest.fixture
def user(service):
    """A user's name and key, with a finished job."""
    with service.opened.begin() as session:
        name = f"chemist-{uuid4().hex[:6]}"
        key = create_key(session, name, Role.SUBMIT)
        job = str(seeds.finished(session, name).id)
    return name, key, job


@pytest.fixture
def job_page(visit, user) -> Page:
    visit.sign_in(user[1])
    page = visit.go(f"/jobs/{user[2]}")
    page.locator(".minima tbody").first.wait_for()
    return page


def test_a_wrong_key_is_refused_in_words(visit):
    visit.page.goto(visit.url + "/")
    visit.page.fill("#key", "adhop_wrong_key")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("alert")).to_contain_text("the API key is unknown, revoked or expired")


def test_the_jobs_show_their_state_and_filter(visit, user, service):
    name, key, _ = user
    with service.opened.begin() as session:
        seeds.searching(session, name, "still at it")
    visit.sign_in(key)
    rows = visit.page.locator("table.jobs tbody tr")
    expect(rows).to_have_count(2)
    visit.page.get_by_role("button", name="succeeded").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("*CO on Pt(111)")
    assert not visit.complaints


def test_bulk_cancel_and_delete(visit, user, service):
    name, key, done = user
    with service.opened.begin() as session:
        going = str(seeds.searching(session, name, "to be cancelled").id)
    visit.sign_in(key)
    visit.page.get_by_label("Choose all on this page").check()
    expect(visit.page.get_by_role("group", name="Chosen jobs")).to_contain_text("2 chosen")
    visit.page.get_by_role("button", name="Cancel 1 open").click()
    visit.page.get_by_role("button", name="Cancel them").click()
    expect(visit.page.locator("table.jobs")).to_contain_text("cancelled")
    visit.page.get_by_label("Choose CO on Pt(111)").check()
    visit.page.get_by_role("button", name="Delete 1 ended").click()
    visit.page.get_by_role("button", name="Delete for good").click()
    expect(visit.page.locator("table.jobs tbody tr")).to_have_count(1)
    with service.client(name=name) as client:
        assert client.get(f"/v1/jobs/{done}").status_code == 404
        assert client.get(f"/v1/jobs/{going}").json()["state"] == "cancelled"


def test_nothing_can_be_chosen_before_it_is_there(visit, user):
    held: list[Route] = []
    visit.page.route(re.compile(r"/v1/jobs\?"), lambda one: held.append(one))
    visit.sign_in(user[1])
    every = visit.page.get_by_label("Choose all on this page")
    expect(every).to_be_disabled()
    while not held:
        visit.page.wait_for_timeout(50)
    for one in held:
        one.continue_()
    every.check()
    expect(visit.page.get_by_role("group", name="Chosen jobs")).to_contain_text("1 chosen")


def test_what_is_chosen_while_others_are_cancelled_stays_chosen(visit, user, service):
    name, key, _ = user
    with service.opened.begin() as session:
        seeds.searching(session, name, "to be cancelled")
    held: list[Route] = []
    visit.page.route("**/v1/jobs:cancel", lambda one: held.append(one))
    visit.sign_in(key)
    visit.page.get_by_label("Choose to be cancelled").check()
    visit.page.get_by_role("button", name="Cancel 1 open").click()
    visit.page.get_by_role("button", name="Cancel them").click()
    visit.page.get_by_label("Choose CO on Pt(111)").check()
    while not held:
        visit.page.wait_for_timeout(50)
    held[0].continue_()
    expect(visit.page.locator(".notices")).to_contain_text("1 cancelled")
    expect(visit.page.get_by_label("Choose to be cancelled")).not_to_be_checked()
    expect(visit.page.get_by_label("Choose CO on Pt(111)")).to_be_checked()


def test_the_minima_are_those_of_the_server(job_page, user, service):
    with service.client(name=user[0]) as client:
        minima = client.get(f"/v1/jobs/{user[2]}/minima").json()["minima"]
    rows = job_page.locator(".minima tbody")
    expect(rows).to_have_count(len(minima))
    for row, minimum in zip(rows.all(), minima, strict=True):
        text = row.inner_text()
        assert f"#{minimum['id']}" in text
        assert f"{minimum['score']['mean']:.3f}".replace("-", "−") in text
        assert minimum["score"]["verdict"] in text


def test_the_slider_chooses_again_at_once(job_page):
    slider = job_page.get_by_role("slider")
    status = job_page.locator(".card:has(#choice-title) [role=status]")
    before = status.inner_text()
    slider.fill("0.05")
    expect(status).not_to_have_text(before)
    expect(status).to_contain_text("low confidence")
    slider.fill("1")
    expect(status).not_to_contain_text("low confidence")
    job_page.get_by_role("button", name="Back to the job's own rules").click()
    expect(status).to_have_text(before)


def test_what_the_numbers_mean_stands_below_them(visit, user, service):
    with service.opened.begin() as session:
        job = seeds.finished(session, user[0], "on fitted constants")
        seeds.mind(session, job)
        there = str(job.id)
    with service.client(name=user[0]) as client:
        preview = client.post(f"/v1/jobs/{there}/selections:preview", json={}).json()
    visit.sign_in(user[1])
    page = visit.go(f"/jobs/{there}")
    told = page.get_by_role("note", name="What the numbers mean")
    expect(told).to_contain_text(f"relative to {preview['reference']}; {preview['accuracy']}.")
    expect(told).to_contain_text(f"Offset spread {preview['offset_spread']:.3f} eV")
    expect(told).to_contain_text(f"from {preview['n_offsets']} distinct minima")
    expect(told.locator(".callout.warn li")).to_have_text(seeds.CAUTION)
    expect(page.get_by_text(seeds.CAUTION)).to_have_count(1)


@pytest.mark.parametrize(
    ("spread", "column", "asks"),
    [
        ("std", "Std", "sample standard deviation"),
        ("range", "Range", "the largest minus the smallest"),
        ("relative", "Relative", "where the minimum stands among the others"),
    ],
)
def test_each_spread_says_what_it_asks(job_page, spread, column, asks):
    job_page.locator("[aria-describedby=spread-asks]").select_option(spread)
    expect(job_page.locator("#spread-asks")).to_contain_text(asks)
    expect(job_page.get_by_role("columnheader", name=column)).to_be_visible()
    job_page.get_by_role("slider").fill("0.02")
    job_page.get_by_role("button", name="why not?").click()
    named = "relative spread" if spread == "relative" else spread
    expect(job_page.locator(".minima")).to_contain_text(re.compile(rf"{named} 0\.\d+ eV exceeds the limit of 0\.02 eV"))


def test_a_choice_can_be_kept(job_page, user, service):
    job_page.get_by_role("slider").fill("0.2")
    job_page.get_by_role("button", name="Keep as a selection").click()
    expect(job_page.locator(".notices")).to_contain_text("kept as selection 1")
    with service.client(name=user[0]) as client:
        assert client.get(f"/v1/jobs/{user[2]}/selections/1").json()["limit"] == 0.2


def test_dft_inputs_are_of_the_choice_that_was_kept(job_page, user, service):
    job_page.get_by_label("At most").fill("1")
    job_page.keyboard.press("Enter")
    expect(job_page.locator(".minima tbody")).to_have_count(1)
    warning = job_page.get_by_text("not what your rules show above")
    expect(warning).to_be_visible()
    job_page.get_by_role("button", name="Keep as a selection").click()
    expect(job_page.get_by_label("Minima of")).to_have_value("1")
    expect(warning).to_have_count(0)
    folders = []
    for selection in ("1", "0"):
        job_page.get_by_label("Minima of").select_option(selection)
        with job_page.expect_download() as got:
            job_page.get_by_role("link", name="DFT inputs, VASP").click()
        names = zipfile.ZipFile(got.value.path()).namelist()
        folders.append({name.partition("/")[0] for name in names if name.startswith("rank")})
    with service.client(name=user[0]) as client:
        chosen = client.get(f"/v1/jobs/{user[2]}/minima").json()["minima"]
    assert folders[1] == {f"rank{one['rank']}-candidate{one['id']}" for one in chosen}
    assert folders[0] == {f"rank0-candidate{chosen[0]['id']}"}


def test_a_job_without_a_minimum_says_what_goes_on(visit, user, service):
    with service.opened.begin() as session:
        job = str(seeds.searching(session, user[0], candidates=0).id)
    visit.sign_in(user[1])
    expect(visit.go(f"/jobs/{job}").locator(".empty")).to_contain_text("No minimum yet")


def test_what_is_shown_follows_the_choice_until_somebody_picks(job_page):
    lowest, heading = job_page.locator(".minima tbody th").first, job_page.locator(".side h2")
    before = lowest.inner_text().split()[1]
    expect(heading).to_contain_text(re.compile(rf"{before}\b"))
    job_page.locator("[aria-describedby=spread-asks]").select_option("relative")
    job_page.get_by_role("slider").fill("0.04")
    expect(lowest).not_to_contain_text(before)
    expect(heading).to_contain_text(re.compile(rf"{lowest.inner_text().split()[1]}\b"))
    job_page.get_by_role("button", name="why not?").click()
    row = job_page.locator(".minima tbody").nth(9)
    picked = row.locator("th").inner_text().split()[1]
    row.get_by_role("button", name="Show").click()
    expect(heading).to_contain_text(re.compile(rf"{picked}\b"))
    job_page.get_by_role("slider").fill("1")
    job_page.wait_for_timeout(1000)
    expect(heading).to_contain_text(re.compile(rf"{picked}\b"))


def test_the_charts_axis_means_one_thing(visit, user, service):
    """Until each member that searches has an adsorption energy, all count from their own lowest."""
    with service.opened.begin() as session:
        job = seeds.searching(session, user[0], "half scored", candidates=6)
        for one in session.query(MemberEnergy).filter_by(job_id=job.id, member=seeds.MEMBERS[1]):
            session.delete(one)
        there = str(job.id)
    visit.sign_in(user[1])
    words = visit.go(f"/jobs/{there}").locator(".chart").get_attribute("aria-label")
    assert re.findall(r": (\S+) eV after", words) == ["0.000", "0.000"]


def test_why_not_this_one(job_page):
    job_page.get_by_role("button", name="why not?").click()
    expect(job_page.locator(".minima tbody")).to_have_count(24)
    job_page.get_by_role("searchbox").fill("dissociated")
    rows = job_page.locator(".minima tbody")
    expect(rows).to_have_count(2)
    expect(rows.first.locator(".verdict")).to_contain_text("dissociated")


def test_two_minima_side_by_side(job_page):
    job_page.locator(".minima tbody").nth(1).get_by_role("button", name="Compare").click()
    viewers = job_page.locator(".side.two .viewer canvas")
    expect(viewers).to_have_count(2)
    expect(job_page.locator(".side.two")).to_contain_text("above")
    expect(job_page.locator(".side.two")).to_contain_text("in the mean")
    job_page.get_by_role("button", name="Close candidate").first.click()
    expect(job_page.locator(".side .viewer")).to_have_count(1)


def test_downloads(job_page, user, service):
    with service.client(name=user[0]) as client:
        stem = client.get(f"/v1/jobs/{user[2]}").json()["file_stem"]
    with job_page.expect_download() as got:
        job_page.get_by_role("button", name="All candidates, CSV").click()
    assert got.value.suggested_filename == f"{stem}-candidates.csv"
    rows = list(csv.DictReader(io.StringIO(Path(got.value.path()).read_text("utf-8"))))
    assert len(rows) == 24
    assert {"rank", "mean_eV", "verdict", *(f"{member}_eV" for member in seeds.MEMBERS)} <= set(rows[0])
    with job_page.expect_download() as got:
        job_page.get_by_role("button", name="All candidates, extended XYZ").click()
    assert Path(got.value.path()).read_text("utf-8").count("Lattice=") == 24
    assert got.value.suggested_filename == f"{stem}-candidates.extxyz"
    with job_page.expect_download() as got:
        job_page.get_by_role("link", name="Minima, extended XYZ").click()
    assert got.value.suggested_filename == f"{stem}-minima.extxyz"
    assert Path(got.value.path()).read_text("utf-8").count("Lattice=") == 5
    with job_page.expect_download() as got:
        job_page.get_by_role("link", name="DFT inputs, VASP").click()
    names = zipfile.ZipFile(got.value.path()).namelist()
    assert any(name.startswith("rank0-candidate") and name.endswith("POSCAR") for name in names)


def test_an_energy_goes_back(job_page, user, service):
    card = job_page.locator(".side .card").first
    card.get_by_text("Hand a DFT energy back").click()
    card.get_by_label("Adsorption energy, eV").fill("-1.61")
    card.get_by_label("Code").fill("VASP 6.4.3")
    card.get_by_role("button", name="Store").click()
    expect(card.locator("tr.label")).to_contain_text("−1.610")
    expect(job_page.locator(".minima tbody").first).to_contain_text("DFT")


def test_the_page_needs_nothing_but_its_server_and_complains_of_nothing(visit, job_page):
    job_page.locator(".viewer canvas").first.wait_for()
    for place in ("/new", "/workers", "/admin", "/"):
        visit.go(place)
        visit.page.locator("h1").wait_for()
        visit.page.wait_for_timeout(300)
    assert all(url.startswith((visit.url, "blob:", "data:")) for url in visit.asked)
    assert not visit.complaints


def test_signing_out_ends_the_session(visit, user):
    visit.sign_in(user[1])
    visit.sign_out()
    visit.page.reload()
    visit.page.locator("#key").wait_for()


def test_who_signs_out_and_leaves_at_once_is_signed_out(visit, user):
    visit.sign_in(user[1])
    (cookie,) = visit.page.context.cookies()
    visit.page.get_by_role("button", name="Sign out").click()
    visit.page.goto("about:blank")

    def session() -> int:
        return httpx.get(f"{visit.url}/v1/me", cookies={cookie["name"]: cookie["value"]}).status_code

    until = time.monotonic() + 60
    while session() != 401:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_sign_in_link_works_once(visit, user, service):
    with service.client(name=user[0]) as client:
        path = client.post("/v1/me/sign-in-link").json()["path"]
    visit.page.goto(visit.url + path)
    visit.page.get_by_role("heading", name="Jobs").wait_for()
    assert re.search(r"#/$", visit.page.url)  # the token is out of the address bar
    visit.sign_out()
    visit.page.goto(visit.url + path)
    visit.page.reload()
    expect(visit.page.locator("#key")).to_be_visible()
