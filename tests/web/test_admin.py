"""An administrator's page: users, keys, quotas, groups, references; and one's own keys."""

import re
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import expect

from shared.database.repositories.users import Role, create_key
from shared.database.tables import Reference
from shared.states import State
from tests.shared.database.jobs import add_job, add_reference


@pytest.fixture
def chief(visit, service):
    with service.opened.begin() as session:
        key = create_key(session, f"chief-{uuid4().hex[:6]}", Role.ADMIN)
    visit.sign_in(key)
    return visit.go("/admin")


@pytest.fixture
def someone(service):
    """A user's name and key."""
    name = f"someone-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        return name, create_key(session, name, Role.SUBMIT)


def status(service, key: str) -> int:
    return httpx.get(f"{service.url}/v1/me", headers={"Authorization": f"Bearer {key}"}).status_code


def opened(page, name: str):
    page.reload()
    page.get_by_role("button", name=f"Keys and quotas of {name}").click()
    return page.locator(".in-sight")


def test_a_user_is_created_with_a_key_that_works(chief, service):
    name = f"new-{uuid4().hex[:6]}"
    chief.get_by_label("New user").fill(name)
    chief.locator(".new-user").first.get_by_label("It may").select_option("read")
    chief.get_by_role("button", name="Create with a key").click()
    key = chief.locator(".new-key code").inner_text()
    me = httpx.get(f"{service.url}/v1/me", headers={"Authorization": f"Bearer {key}"}).json()
    assert (me["name"], me["role"]) == (name, "read")
    chief.get_by_role("button", name="Done").click()
    expect(chief.get_by_text(key)).to_have_count(0)
    expect(chief.get_by_role("button", name=f"Keys and quotas of {name}")).to_be_visible()


def test_a_name_that_is_taken_is_refused_in_words(chief, someone):
    chief.get_by_label("New user").fill(someone[0])
    chief.get_by_role("button", name="Create with a key").click()
    expect(chief.get_by_role("alert")).to_contain_text(someone[0])


def test_quotas_are_set_and_given_back(chief, someone, service):
    card = opened(chief, someone[0])
    card.get_by_label("Open jobs", exact=True).fill("3")
    card.get_by_label("Stored, GB").fill("1.5")
    card.get_by_role("button", name="Store quotas").click()
    expect(chief.locator(".notices")).to_contain_text(f"quotas of {someone[0]} are stored")
    with service.client(name=someone[0]) as client:
        limits = client.get("/v1/me").json()["limits"]
        assert (limits["open_jobs"], limits["stored_bytes"]) == (3, 1_500_000_000)
        assert sorted(limits["own"]) == ["open_jobs", "stored_bytes"]
        card = chief.locator(".in-sight")
        card.get_by_label("Open jobs", exact=True).fill("")
        card.get_by_role("button", name="Store quotas").click()
        expect(card.get_by_label("Open jobs", exact=True)).not_to_have_attribute("placeholder", "the server's")
        assert client.get("/v1/me").json()["limits"]["own"] == ["stored_bytes"]


def test_keys_are_made_rotated_and_revoked(chief, someone, service):
    name, old = someone
    card = opened(chief, name)
    rows = card.locator(".keys tbody tr")
    expect(rows).to_have_count(1)
    card.get_by_label("For", exact=True).fill("notebook")
    card.get_by_role("button", name="Make a key").click()
    made = card.locator(".new-key code").inner_text()
    assert status(service, made) == 200
    expect(rows).to_have_count(2)
    card.get_by_role("button", name=f"Rotate key {old.split('_')[1]}").click()
    chief.get_by_role("button", name="Make it").click()
    expect(rows).to_have_count(3)
    rotated = card.locator(".new-key code").inner_text()
    assert rotated not in (made, old)
    assert [status(service, key) for key in (old, rotated)] == [401, 200]
    card.get_by_role("button", name=f"Revoke key {made.split('_')[1]}").click()
    chief.get_by_role("button", name="Revoke for good").click()
    expect(chief.locator(".notices")).to_contain_text("is revoked")
    assert status(service, made) == 401


def test_a_user_is_disabled_and_let_in_again(chief, someone, service):
    name, key = someone
    card = opened(chief, name)
    card.get_by_role("button", name=f"Disable {name}").click()
    chief.get_by_role("button", name="Disable", exact=True).click()
    expect(chief.get_by_role("row", name=re.compile(name)).first).to_contain_text("disabled")
    assert status(service, key) == 401
    card.get_by_role("button", name=f"Let {name} in again").click()
    expect(card.get_by_role("button", name=f"Disable {name}")).to_be_visible()
    assert status(service, key) == 200


def test_a_group_is_made_joined_and_ended(chief, someone, service):
    group = f"group-{uuid4().hex[:6]}"
    chief.get_by_label("New group").fill(group)
    chief.get_by_role("button", name="Create", exact=True).click()
    joins = chief.get_by_label(f"User to join {group}")
    joins.fill("nobody-at-all")
    joins.press("Enter")
    expect(chief.locator(".notices")).to_contain_text("there is no user nobody-at-all")
    joins.fill(someone[0])
    joins.press("Enter")
    out = chief.get_by_role("button", name=f"Take {someone[0]} out of {group}")
    expect(out).to_be_visible()
    with service.client(name=someone[0]) as client:
        assert client.get("/v1/me").json()["groups"] == [group]
        out.click()
        expect(out).to_have_count(0)
        assert client.get("/v1/me").json()["groups"] == []
    chief.get_by_role("button", name=f"End group {group}").click()
    chief.get_by_role("button", name="End it").click()
    expect(joins).to_have_count(0)


def test_a_reference_that_failed_is_tried_again(chief, someone, service):
    with service.opened.begin() as session:
        job = add_job(session, user=someone[0], state=State.RUNNING)
        failed = add_reference(session, job, state=State.FAILED)
        failed.label = f"slab {uuid4().hex[:6]}"
        label, number = failed.label, failed.id
    chief.reload()
    row = chief.get_by_role("row", name=label)
    expect(row).to_contain_text("too steep")
    row.get_by_role("button", name="Try again").click()
    expect(chief.locator(".notices")).to_contain_text("is tried again")
    expect(row).to_have_count(0)
    with service.opened.begin() as session:
        assert session.get(Reference, number).state == State.QUEUED


def test_everybody_sees_and_ends_their_own_keys(visit, someone, service):
    visit.sign_in(someone[1])
    page = visit.go("/admin")
    page.get_by_text("Your keys").click()
    prefix = someone[1].split("_")[1]
    expect(page.locator(".keys")).to_contain_text("this session")
    page.get_by_role("button", name=f"Revoke key {prefix}").click()
    expect(page.get_by_role("dialog")).to_contain_text("This session ends with it.")
    page.get_by_role("button", name="Revoke for good").click()
    page.locator("#key").wait_for()
    assert status(service, someone[1]) == 401
