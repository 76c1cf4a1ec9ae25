"""`python -m worker.models` against a real HTTP server: fetched whole, fetched in pieces, refused, offline."""

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.errors import Misconfigured, Unavailable
from worker.models import __main__ as command
from worker.models.download import Offline, download
from worker.models.writing import append, block
from worker.potentials import members_file, registry
from worker.potentials.members_file import MemberTable

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does."""

    url: str = ""
    content: bytes = CONTENT
    tag: str | None = '"one"'
    knows_ranges: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    """After how many bytes of an answer it hangs up, in turn."""
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    """What it was asked for."""


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            server.ranges.append(asked)
            if server.status != 200:
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
            if server.tag:
                self.send_header("ETag", server.tag)
            body = server.content[start:]
            if server.says_length:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(made))
    made.url = f"http://127.0.0.1:{http.server_port}/published/eqv2.pt"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield made
    http.shutdown()
    http.server_close()
    thread.join(5)


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A published member whose address is the server's."""
    member = (
        registry.shipped().published["eqv2-83m-oc20-2m"].model_copy(update={"name": "published", "address": server.url})
    )
    shipped = registry.Registry(registry.shipped().entries, {"published": member})
    monkeypatch.setattr(registry, "shipped", lambda: shipped)
    return "published"


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    return int(ended.value.code or 0)


def fetched(server: Server, tmp_path) -> list[tuple[int, int | None]]:
    """Download, and what was told of its progress."""
    told: list[tuple[int, int | None]] = []
    download(server.url, tmp_path / "eqv2.pt", lambda here, total: told.append((here, total)), pause_s=0.0)
    return told


def test_a_file_comes_whole_and_says_how_far_it_is(server, tmp_path):
    told = fetched(server, tmp_path)
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert len(told) > 2
    assert [path.name for path in tmp_path.iterdir()] == ["eqv2.pt"]


def test_a_cut_connection_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [300_000, 200_000]
    fetched(server, tmp_path)
    assert server.ranges == [None, "bytes=300000-", "bytes=500000-"]
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


def test_a_download_that_was_given_up_goes_on_at_the_next_command(server, tmp_path):
    server.cuts = [100_000] * 5
    with pytest.raises(Unavailable, match=r"cut 5 times .*500000 bytes are here, and the same command goes on there"):
        fetched(server, tmp_path)
    assert not (tmp_path / "eqv2.pt").exists()
    fetched(server, tmp_path)
    assert server.ranges[-1] == "bytes=500000-"
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("changes", [{"tag": '"two"', "content": CONTENT[::-1]}, {"knows_ranges": False}])
def test_a_part_that_cannot_be_continued_is_fetched_anew(server, tmp_path, changes):
    server.cuts = [100_000] * 5
    with pytest.raises(Unavailable):
        fetched(server, tmp_path)
    for name, value in changes.items():
        setattr(server, name, value)
    fetched(server, tmp_path)
    assert (tmp_path / "eqv2.pt").read_bytes() == server.content


def test_without_a_tag_nothing_is_continued(server, tmp_path):
    server.tag, server.cuts = None, [100_000]
    fetched(server, tmp_path)
    assert server.ranges == [None, None]
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


def test_a_part_that_was_whole_already_is_kept(server, tmp_path):
    (tmp_path / "eqv2.pt.part").write_bytes(CONTENT)
    (tmp_path / "eqv2.pt.part.tag").write_text(server.tag)
    fetched(server, tmp_path)
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / "eqv2.pt.part").write_bytes(CONTENT + b"more")
    (tmp_path / "eqv2.pt.part.tag").write_text(server.tag)
    fetched(server, tmp_path)
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


def test_a_refusal_of_the_server_is_told(server, tmp_path):
    server.status = 403
    with pytest.raises(Unavailable, match=r"eqv2\.pt answered 403 Forbidden"):
        fetched(server, tmp_path)
    assert len(server.ranges) == 1


def test_fetch_registers_what_it_got(server, published, tmp_path, capsys):
    file = tmp_path / "models" / "members.toml"
    server.cuts = [400_000]
    assert run("fetch", published, "--file", str(file)) == 0
    assert f"published is registered in {file} with SHA-256 {SHA256}" in capsys.readouterr().out
    entry = registry.read(file)[published]
    assert (entry.path, entry.sha256, entry.family) == (tmp_path / "models" / "eqv2.pt", SHA256, "equiformer_v2")
    assert run("verify", published, "--file", str(file)) == 0
    assert f"SHA-256 {SHA256}, as registered" in capsys.readouterr().out
    assert run("fetch", published, "--file", str(file)) == 0
    assert "is registered already" in capsys.readouterr().out
    (tmp_path / "models" / "eqv2.pt").write_bytes(CONTENT[1:])
    assert run("verify", "--file", str(file)) == 1
    said = capsys.readouterr().out
    assert f"not the registered {SHA256}" in said
    assert "sevennet-l3i5: SHA-256 a7ff190d" in said


def test_offline_it_says_where_the_file_goes_and_takes_it_from_there(published, server, tmp_path, capsys, monkeypatch):
    address = "http://127.0.0.1:9/published/eqv2.pt"  # the discard port: nobody listens
    member = registry.shipped().published[published].model_copy(update={"address": address})
    shipped = registry.Registry(registry.shipped().entries, {published: member})
    monkeypatch.setattr(registry, "shipped", lambda: shipped)
    file, target = tmp_path / "members.toml", tmp_path / "eqv2.pt"
    assert run("fetch", published, "--file", str(file)) == 1
    said = capsys.readouterr().err
    assert "can't be reached" in said
    assert f"get {address} on another machine, put it at {target}, and run this command again" in said
    assert not file.exists()
    target.write_bytes(CONTENT)
    assert run("fetch", published, "--file", str(file)) == 0
    assert registry.read(file)[published].sha256 == SHA256
    with pytest.raises(Offline):
        download(address, tmp_path / "other.pt", lambda here, total: None)


def test_a_published_checksum_that_differs_is_refused(server, published, tmp_path, capsys, monkeypatch):
    member = registry.shipped().published[published].model_copy(update={"sha256": "0" * 64})
    shipped = registry.Registry(registry.shipped().entries, {published: member})
    monkeypatch.setattr(registry, "shipped", lambda: shipped)
    assert run("fetch", published, "--file", str(tmp_path / "members.toml")) == 1
    assert f"SHA-256 is {SHA256}, not the published {'0' * 64}" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eqv2.pt.refused"]


def test_add_registers_a_file_of_ones_own(tmp_path, capsys):
    file, checkpoint = tmp_path / "members.toml", tmp_path / "elsewhere" / 'my "model".pt'
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"abc")
    words = [
        "add",
        "my-mace",
        "--path",
        str(checkpoint),
        "--family",
        "mace",
        "--energy-kind",
        "total",
        "--file",
        str(file),
    ]
    assert run(*words, "--elements", "H C-O Pt", "--precision", "float64", "--option", "head=omat") == 0
    entry = registry.read(file)["my-mace"]
    assert entry.path is not None
    assert entry.path.resolve() == checkpoint
    assert (entry.elements, entry.precision, dict(entry.options)) == ({1, 6, 7, 8, 78}, "float64", {"head": "omat"})
    capsys.readouterr()
    assert run(*words) == 1
    assert "has a member my-mace already" in capsys.readouterr().err
    assert run("add", "emt", *words[2:]) == 1
    assert "comes with Adhop" in capsys.readouterr().err
    assert run("add", "other", *words[2:], "--option", "colour=red") == 1
    assert "MACE has no option colour" in capsys.readouterr().err
    assert run("list", "--file", str(file)) == 0


def test_list_says_what_is_here_and_what_is_published(tmp_path, capsys, monkeypatch):
    """Names stay whole in a narrow terminal: they are what one types next."""
    monkeypatch.setattr(command.console, "_width", 80)
    assert run("list", "--file", str(tmp_path / "members.toml")) == 0
    said = capsys.readouterr().out
    for name in (*registry.names(), *registry.shipped().published):
        assert name in said
    assert "no: fetch" in said
    assert "not there yet" in " ".join(said.split())


def test_what_a_person_wrote_in_the_file_stays(tmp_path):
    file = tmp_path / "members.toml"
    file.write_text("# our members\n")
    values = {
        "name": "one",
        "family": "escn",
        "path": "a\\b\u00e9\U0001f600.pt",
        "sha256": "0" * 64,
        "energy_kind": "total",
    }
    member = MemberTable.model_validate(
        {**values, "limits": {"devices": ["cuda"], "memory_gib": 4}, "trained_on": 'a "b"\n\x7f'}
    )
    append(file, member)
    append(file, MemberTable.model_validate(values | {"name": "two"}))
    assert file.read_text().startswith("# our members\n")
    assert members_file.read(file)[0] == member
    assert [one.name for one in members_file.read(file)] == ["one", "two"]
    assert "limits" not in block(MemberTable.model_validate(values))
    with pytest.raises(Misconfigured, match="already"):
        append(file, member)
