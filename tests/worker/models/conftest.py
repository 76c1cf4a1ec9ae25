"""A server of checkpoints over TLS, with a certificate of its own, and everything that one may do wrong."""

import hashlib
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from worker.potentials import registry

CONTENT = b"\x80\x02" + bytes(range(256)) * 4096
"""1 MiB that begins as a pickle does."""
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does."""

    url: str = ""
    """Under the name localhost; the same server answers as 127.0.0.1."""
    content: bytes = CONTENT
    tag: str | None = '"one"'
    knows_ranges: bool = True
    length: int | None = None
    """What it says instead of the truth; -1 for nothing."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes of an answer it hangs up, in turn."""
    status: int = 200
    location: str = ""
    """Where it redirects to, with `status`, from every path but /other."""
    headers: dict[str, str] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    """What it was asked for."""


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.ranges.append(asked)
            if server.location and not self.path.startswith("/other"):
                self.send_response(server.status)
                self.send_header("Location", server.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if server.status != 200 and not server.location:
                self.send_error(server.status)
                return
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.knows_ranges else 0
            if self.headers.get("If-Range") not in (None, server.tag):
                start = 0
            if start >= len(server.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            body = server.content[start:]
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
            if server.tag:
                self.send_header("ETag", server.tag)
            for name, value in server.headers.items():
                self.send_header(name, value)
            if server.length != -1:
                self.send_header("Content-Length", str(len(body) if server.length is None else server.length))
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests are about."""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Its file, and that of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "certificate.pem", folder / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    words = ["openssl", "req", "-x509", *kind, "-subj", "/CN=localhost", "-addext", names]
    subprocess.run(
        [*words, "-out", str(files[0]), "-keyout", str(files[1])], check=True, capture_output=True, timeout=60
    )
    return files


@pytest.fixture
def server(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    http = Quiet(("127.0.0.1", 0), handler_of(made))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    http.socket = tls.wrap_socket(http.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    made.url = f"https://localhost:{http.server_port}/published/eqv2.pt"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield made
    http.shutdown()
    http.server_close()
    thread.join(5)


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A published member whose address is the server's."""
    publish(monkeypatch, address=server.url)
    return "published"


def publish(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Let the shipped registry know a member `published`."""
    known = registry.shipped().published
    member = known.get("published", known.get("eqv2-83m-oc20-2m"))
    assert member is not None
    shipped = registry.Registry(
        registry.shipped().entries, {"published": member.model_copy(update={"name": "published", **changes})}
    )
    monkeypatch.setattr(registry, "shipped", lambda: shipped)
