"""Walkers and their hops on a job's page: the facts are the server's, the words follow from them."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from shared.database.repositories.users import Role, create_key
from shared.database.tables import Candidate, Walker
from tests.web import seeds


@pytest.fixture
def hopped(visit, service):
    """The page of a finished job; its first walker's hops ended in every way there is."""
    name = f"hopper-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        key = create_key(session, name, Role.SUBMIT)
        job = seeds.finished(session, name, candidates=24)
        walker = session.query(Walker).filter_by(job_id=job.id).order_by(Walker.id).first()
        own = session.query(Candidate).filter_by(walker_id=walker.id).order_by(Candidate.hop).all()
        energies = (-71.0, -71.2, -70.5, -71.3, -71.2, -70.9)
        for hop, (one, energy) in enumerate(zip(own, energies, strict=True)):
            one.energy, one.temperature_k = energy, None if hop == 0 else 1000.0 + 100 * hop
            one.accepted, one.converged, one.anomalies, one.duplicate_of = hop in (0, 1), True, [], None
        own[3].anomalies = ["dissociated"]
        own[4].duplicate_of = own[1].id
        own[5].converged = False
        walker.hop = 7  # the last one diverged
        ids, number, found = [one.id for one in own], walker.id, str(job.id)
    visit.sign_in(key)
    page = visit.go(f"/jobs/{found}")
    page.get_by_role("button", name=f"Hops of walker {number}").click()
    return page, number, ids


def test_each_hop_says_where_it_went_and_what_came_of_it(hopped):
    page, number, ids = hopped
    rows = page.get_by_role("region", name=f"Table of the hops of walker {number}").locator("tbody tr")
    expect(rows).to_have_count(7)
    cells = [[one.strip() for one in row.locator("th, td").all_inner_texts()] for row in rows.all()]
    assert [row[0] for row in cells] == [str(hop) for hop in range(7)]
    assert [row[1] for row in cells] == ["placement", f"#{ids[0]}", *[f"#{ids[1]}"] * 5]
    assert [row[3] for row in cells] == ["–", "−0.200", "0.700", "−0.100", "0.000", "0.300", "–"]
    assert [row[4].replace("\u202f", "") for row in cells] == ["–", "1100", "1200", "1300", "1400", "1500", "–"]
    assert [row[6] for row in cells] == [
        "placement relaxed",
        "accepted: it went on from here",
        "returned: 0.700 eV up was more than its window allowed",
        "returned: dissociated",
        "returned: it fell back to where it was",
        "returned: not converged",
        "left no minimum: it diverged, or what it found was dropped",
    ]


def test_stepping_through_the_hops_shows_each_in_3d(hopped):
    page, _, ids = hopped
    page.get_by_role("button", name="later ▸").click()
    expect(page.locator(f"#candidate-{ids[0]}")).to_be_visible()
    page.get_by_role("button", name="later ▸").click()
    expect(page.locator(f"#candidate-{ids[1]}")).to_be_visible()
    expect(page.get_by_role("button", name="◂ earlier")).to_be_enabled()
    page.get_by_role("button", name="◂ earlier").click()
    expect(page.get_by_role("button", name="◂ earlier")).to_be_disabled()
    page.get_by_role("button", name="◂ earlier").press("Enter")  # nothing comes before
    page.get_by_role("button", name="later ▸").press("Enter")
    expect(page.locator(f"#candidate-{ids[1]}")).to_be_visible()
    page.locator(".hop-plot circle").nth(2).click()
    expect(page.locator(f"#candidate-{ids[2]}")).to_be_visible()


def test_the_view_in_3d_goes_from_hop_to_hop_by_keyboard(hopped):
    page, number, ids = hopped
    page.get_by_role("button", name=f"Show candidate {ids[0]}", exact=True).first.press("Enter")
    earlier, later = (
        page.get_by_role("button", name=f"{way} minimum of walker {number}") for way in ("Earlier", "Later")
    )
    expect(earlier).to_be_disabled()
    later.focus()
    said = page.get_by_role("group", name=f"Steps of walker {number}, in 3-D")
    told = (
        "1 accepted: it went on from here",
        "2 returned: 0.700 eV up",
        "3 returned: dissociated",
        "4 returned: it fell",
    )
    for one, words in zip(ids[1:5], told, strict=True):
        page.keyboard.press("Enter")
        page.locator(f".card:has(#candidate-{one}) .viewer canvas").wait_for()
        expect(said).to_contain_text(f"Walker {number}, hop {words}")
    page.keyboard.press("Enter")
    expect(page.locator(f"#candidate-{ids[5]}")).to_be_visible()
    expect(later).to_be_disabled()  # the last hop left nothing
    expect(later).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator(f"#candidate-{ids[4]}")).to_be_visible()


def test_placements_are_there_after_the_job_has_ended(hopped):
    page, _, _ = hopped
    card = page.locator(".card:has(#placements-title)")
    expect(card.locator(".viewer")).to_have_count(0)  # nothing is read before it is asked for
    card.get_by_role("button", name="Show in 3-D").click()
    card.locator(".viewer canvas").wait_for()
    expect(card.get_by_role("group", name="Placements by site").get_by_role("button")).to_have_count(4)
