"""Labels beside what members say, limits learned from them, and what administrators do with these."""

import re
from uuid import uuid4

import numpy as np
import pytest
from playwright.sync_api import expect

from shared.database.repositories.users import Role, create_key
from tests.web import seeds


@pytest.fixture
def labelled(service):
    """The keys of an author and an administrator; all labels are the author's."""
    author, chief = f"author-{uuid4().hex[:6]}", f"chief-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        keys = create_key(session, author, Role.SUBMIT), create_key(session, chief, Role.ADMIN)
        seeds.labelled(session, author)
    return keys


def test_labels_are_drawn_against_the_members_mean(visit, labelled, service):
    visit.sign_in(labelled[0])
    page = visit.go("/learn")
    page.locator(".parity .point").first.wait_for()
    found = page.evaluate("async () => await (await fetch('v1/labels?member=alpha&member=beta')).json()")
    expect(page.locator(".parity .point")).to_have_count(len(found["points"]))
    told = page.locator(".card:has(#labels-title) [role=status]")
    expect(told).to_contain_text(f"{found['n']} candidates of {found['systems']} jobs")
    expect(told).to_contain_text(f"off by {found['mean_error']:.3f} eV")
    # error bars are as long as the members' spread: two points tell the scale of the axis
    bars = page.locator(".parity .point").evaluate_all(
        "all => all.map(one => { const bar = one.querySelector('line'); "
        "return [Number(bar.getAttribute('x1')), Math.abs(bar.getAttribute('y2') - bar.getAttribute('y1'))]; })"
    )
    points = found["points"]
    scale = (bars[1][0] - bars[0][0]) / (points[1]["label"] - points[0]["label"])
    for (_, length), point in zip(bars, points, strict=True):
        assert length == pytest.approx(2 * point["std"] * scale, abs=0.05)


def test_a_limit_is_learned_published_and_withdrawn(visit, labelled):
    author, chief = labelled
    visit.sign_in(author)
    page = visit.go("/learn")
    page.locator(".parity .point").first.wait_for()
    page.get_by_label("Of what is kept, %").fill("80")
    page.get_by_role("button", name="Learn it").click()
    expect(page.locator(".notices")).to_contain_text("your proposal")
    number = re.search(r"calibration (\d+)", page.locator(".notices").inner_text()).group(1)
    row = page.locator(".calibrations tbody tr").first
    expect(row).to_contain_text("proposal")
    expect(row).to_contain_text("promise: 80 % within 0.10 eV")
    expect(page.get_by_role("button", name=f"Publish calibration {number}")).to_have_count(0)
    visit.sign_out()
    visit.sign_in(chief)
    visit.go("/learn")
    page.get_by_role("button", name=f"Publish calibration {number}").click()
    page.get_by_role("button", name="Put it in force").click()
    expect(page.locator(".notices")).to_contain_text("is in force")
    page.get_by_role("button", name=f"Withdraw calibration {number}").click()
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_role("button", name=f"Publish calibration {number}")).to_be_visible()
    expect(page.locator(".calibrations")).to_contain_text("withdrawn")


def test_too_few_labels_are_refused_in_words(visit, service):
    visit.sign_in(service.key())
    page = visit.go("/learn")
    page.get_by_label("Functional of the labels").fill("NONE")
    page.keyboard.press("Tab")
    expect(page.locator(".card:has(#labels-title)")).to_contain_text("has an energy by NONE yet")
    expect(page.get_by_role("button", name="Learn it")).to_be_disabled()
    page.get_by_label("alpha").uncheck()
    expect(page.locator(".card:has(#labels-title)")).to_contain_text("Choose two members at least.")


def test_a_reader_looks_and_learns_nothing(visit, service, labelled):
    visit.sign_in(service.key(Role.READ))
    page = visit.go("/learn")
    page.locator(".card:has(#labels-title) [role=status]").wait_for()
    expect(page.locator(".parity .point")).to_have_count(0)  # they are of others' jobs, and counted
    expect(page.get_by_role("button", name="Learn it")).to_have_count(0)


def test_errors_are_drawn_against_the_spread_and_counted_by_halves(visit, labelled):
    visit.sign_in(labelled[0])
    page = visit.go("/learn")
    page.locator(".errors .point").first.wait_for()
    found = page.evaluate("async () => await (await fetch('v1/labels?member=alpha&member=beta')).json()")
    points = found["points"]
    dots = page.locator(".errors .point circle").evaluate_all(
        "all => all.map(one => [Number(one.getAttribute('cx')), Number(one.getAttribute('cy'))])"
    )
    assert len(dots) == len(points) > 10
    off = np.array([abs(one["mean"] - one["label"]) for one in points])
    std = np.array([one["std"] for one in points])
    # px are straight lines of eV
    for drawn, energies, sign in ((np.array(dots)[:, 0], std, 1), (np.array(dots)[:, 1], off, -1)):
        slope, start = np.polyfit(energies, drawn, 1)
        assert slope * sign > 0
        assert np.abs(slope * energies + start - drawn).max() < 0.05
    told = page.locator(".card:has(#learn-title) .told")
    order = np.argsort(std, kind="stable")
    half = -(-len(points) // 2)
    for right in (0.1, 0.3):
        page.get_by_label("are right within, eV").fill(str(right))
        shares = [round(100 * (off[some] <= right).mean()) for some in (order[:half], order[half:])]
        expect(told).to_contain_text(f"Within {right:.2f} eV of RPBE: {shares[0]} % of the {half} that")
        expect(told).to_contain_text(f"{shares[1]} % of the other {len(points) - half}")


def test_what_to_compute_next_is_what_members_disagree_on_most(visit, service):
    name = f"next-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        key = create_key(session, name, Role.SUBMIT)
        first = seeds.unlabelled(session, name)[-1]
    visit.sign_in(key)
    page = visit.go("/learn")
    rows = page.locator(".next tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text(f"CH3 on Cu(211)#{first}, top")
    expect(rows.first.locator("td")).to_have_text(["1", "−1.020", "0.113"])  # alpha -1.1, beta 0.16 above
    rows.first.get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text("CH3 on Cu(211)")
    visit.go("/learn")
    page.get_by_label("Functional of the labels").fill("BEEF-vdW")
    expect(page.locator("#next-title")).to_contain_text("an energy by BEEF-vdW")
    expect(rows).to_have_count(4)
