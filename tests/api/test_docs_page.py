"""The page of the API loads nothing from elsewhere, and every answer says what a browser may do with it."""

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
import pytest


class Addresses(HTMLParser):
    """Every address that a page loads, and the text of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline = ""
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "action", "data", "srcset", "poster")]
        self._in_script = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        self.inline += data.strip() if self._in_script else ""


def test_all_that_the_page_loads_is_of_this_server(service):
    page = httpx.get(f"{service.url}/docs")
    assert page.status_code == 200
    parser = Addresses()
    parser.feed(page.text)
    assert len(parser.found) == 4
    assert not parser.inline
    for address in parser.found:
        whole = urljoin(str(page.url), address)
        assert urlsplit(whole).netloc == urlsplit(service.url).netloc
        assert httpx.get(whole).status_code == 200
    start = httpx.get(f"{service.url}/docs/start.js").text
    assert 'url: "openapi.json"' in start
    assert "http" not in start
    assert httpx.get(f"{service.url}/redoc").status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/docs/files/swagger-ui.css", "/healthz", "/v1/jobs", "/nowhere"])
def test_every_answer_says_what_a_browser_may_do(service, path):
    headers = httpx.get(service.url + path).headers
    for name in ("Content-Security-Policy", "Cache-Control"):
        assert len(headers.get_list(name)) == 1  # of several, each would count
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")


def test_files_beside_those_of_the_page_are_not_served(service):
    for path in ("../core.py", "..%2fcore.py", "%2e%2e/core.py", "/etc/passwd", ""):
        assert httpx.get(f"{service.url}/docs/files/{path}").status_code == 404
