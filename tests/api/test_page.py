"""The page's files, and signing in to it."""

import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import delete, func, select, update

from api.door.credentials import COOKIE
from api.page.files import BUILT
from shared.database.repositories.users import Role
from shared.database.tables import ApiKey, AuditEntry, PageToken, User
from tests.api.conftest import closed_port, serving

PAGE = {"X-Adhop-Page": "1"}
JOB = {"input": {"kind": "bulk", "bulk": {"element": "Pt"}, "miller": [1, 1, 1], "adsorbate": "*CO"}}


@pytest.fixture
def key(service) -> str:
    return service.key(Role.SUBMIT)


@pytest.fixture
def browser(service, key):
    """Signed in as a browser is: with the cookie alone."""
    with httpx.Client(base_url=service.url) as made:
        answer = made.post("/v1/session", headers=bearer(key))
        assert answer.status_code == 201, answer.text
        yield made


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(service, key):
    answer = httpx.post(f"{service.url}/v1/session", headers=bearer(key))
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for word in ("HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/"):
        assert word in cookie
    assert "Secure" not in cookie  # plain HTTP, as on one's own machine
    token = answer.cookies[COOKIE]
    assert key.split("_")[2] not in cookie
    with service.opened() as session:
        (row,) = session.scalars(select(PageToken).order_by(PageToken.id.desc()).limit(1))
        assert token.encode() not in row.digest
        assert len(row.digest) == 32


def test_behind_https_the_cookie_is_secure(service, make_database, key):
    address = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), address, trusted_proxies=("127.0.0.1",)) as made:
        headers = bearer(made.key()) | {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
        assert "Secure" in httpx.post(f"{made.url}/v1/session", headers=headers).headers["set-cookie"]


def test_the_cookie_counts_as_its_key_does(browser, key):
    me = browser.get("/v1/me").json()
    assert (me["key"], me["role"]) == (key.split("_")[1], "submit")
    assert browser.get("/v1/users").status_code == 403
    assert browser.post("/v1/jobs", json=JOB, headers=PAGE).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**PAGE, "Origin": "https://elsewhere.example"},
        {**PAGE, "Origin": "null"},
        {**PAGE, "Sec-Fetch-Site": "cross-site"},
        {**PAGE, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_other_site_writes_through_it(browser, headers):
    before = len(browser.get("/v1/jobs").json()["jobs"])
    answer = browser.post("/v1/jobs", json=JOB, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "a session is for this server's own page: send an API key",
    )
    assert len(browser.get("/v1/jobs").json()["jobs"]) == before


def test_no_other_site_reads_through_it(browser):
    assert browser.get("/v1/jobs", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin"}
    assert browser.get("/v1/jobs", headers=own).status_code == 200


def test_it_ends_with_a_sign_out(browser):
    assert browser.delete("/v1/session").status_code == 403  # by another site
    token = browser.cookies[COOKIE]
    assert browser.delete("/v1/session", headers=PAGE).status_code == 204
    browser.cookies.set(COOKIE, token)
    refused = browser.get("/v1/me")
    assert (refused.status_code, "signed out" in refused.json()["detail"]) == (401, True)


def test_it_ends_with_its_key(service, browser, key):
    with service.opened.begin() as session:
        session.execute(update(ApiKey).where(ApiKey.prefix == key.split("_")[1]).values(revoked_at=func.now()))
    assert browser.get("/v1/me").status_code == 401


def test_it_ends_when_its_key_expires(service, browser, key):
    with service.opened.begin() as session:
        session.execute(update(ApiKey).where(ApiKey.prefix == key.split("_")[1]).values(expires_at=func.now()))
    assert browser.get("/v1/me").status_code == 401


def test_it_ends_with_its_user(service, browser):
    name = browser.get("/v1/me").json()["name"]
    with service.opened.begin() as session:
        session.execute(update(User).where(User.name == name).values(disabled_at=func.now()))
    assert browser.get("/v1/me").status_code == 401


def test_it_ends_by_itself(service, browser):
    with service.opened.begin() as session:
        session.execute(update(PageToken).values(expires_at=func.now() - timedelta(seconds=1)))
    assert browser.get("/v1/me").status_code == 401


def test_a_session_opens_no_other_and_is_no_key(service, browser):
    assert browser.post("/v1/session", headers=PAGE).status_code == 401
    assert browser.post("/v1/me/sign-in-link", headers=PAGE).status_code == 403
    token = browser.cookies[COOKIE]
    assert httpx.get(f"{service.url}/v1/me", headers=bearer(token)).status_code == 401


def test_a_link_signs_in_once_and_does_nothing_else(service, key):
    path = httpx.post(f"{service.url}/v1/me/sign-in-link", headers=bearer(key)).json()["path"]
    assert path.startswith("/#/sign-in/")  # behind the #: no server and no log gets it
    token = path.rpartition("/")[2]
    assert httpx.get(f"{service.url}/v1/me", headers=bearer(token)).status_code == 401
    assert httpx.post(f"{service.url}/v1/session", headers=bearer(token)).status_code == 201
    again = httpx.post(f"{service.url}/v1/session", headers=bearer(token))
    assert (again.status_code, "used already" in again.json()["detail"]) == (401, True)


def test_a_link_is_too_old_after_a_while(service, key):
    path = httpx.post(f"{service.url}/v1/me/sign-in-link", headers=bearer(key)).json()["path"]
    with service.opened.begin() as session:
        session.execute(update(PageToken).values(expires_at=func.now()))
    answer = httpx.post(f"{service.url}/v1/session", headers=bearer(path.rpartition("/")[2]))
    assert answer.status_code == 401


def test_a_key_has_so_many_sessions_and_old_ones_are_forgotten(service, key):
    with service.opened.begin() as session:
        session.execute(delete(PageToken))
    for _ in range(52):
        httpx.post(f"{service.url}/v1/session", headers=bearer(key)).raise_for_status()
    with service.opened() as session:
        assert session.scalar(select(func.count()).select_from(PageToken)) == 50


def test_signing_in_and_out_stands_in_the_audit_trail(service, browser, key):
    browser.delete("/v1/session", headers=PAGE)
    with service.opened() as session:
        own = AuditEntry.key_prefix == key.split("_")[1]
        acts = session.execute(select(AuditEntry.action, AuditEntry.address).where(own).order_by(AuditEntry.id)).all()
    assert [tuple(one) for one in acts] == [("session.open", "127.0.0.1"), ("session.end", "127.0.0.1")]


def test_wrong_tokens_are_slowed_down_as_wrong_keys_are(make_database):
    with (
        serving(make_database(), f"redis://127.0.0.1:{closed_port()}/0", max_failed_keys_per_minute=3) as made,
        httpx.Client(base_url=made.url, cookies={COOKIE: "0" * 64}) as client,
    ):
        assert [client.get("/v1/me").status_code for _ in range(5)] == [401, 401, 401, 429, 429]


def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(service):
    answer = httpx.get(service.url + "/")
    assert answer.status_code == 200
    policies = answer.headers.get_list("content-security-policy")
    assert any("style-src 'self';" in one and "unsafe" not in one for one in policies)
    assert all("default-src 'none'" in one and "frame-ancestors 'none'" in one for one in policies)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.skipif(not (BUILT / "index.html").exists(), reason="the page is not built: run `make web`")
def test_its_files_are_there_and_name_no_address_elsewhere(service):
    text = httpx.get(service.url + "/").text
    files = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', text)
    assert any(name.endswith(".js") for name in files)
    assert any(name.endswith(".css") for name in files)
    for name in files:
        answer = httpx.get(f"{service.url}/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        # an XML namespace is a name, not an address
        found = set(re.findall(r"https?://[\w.-]+", answer.text)) - {"http://www.w3.org"}
        assert not found, (name, found)
    assert httpx.get(f"{service.url}/assets/../api/app.py").status_code == 404
    assert httpx.get(f"{service.url}/assets/%2e%2e/%2e%2e/pyproject.toml").status_code == 404
