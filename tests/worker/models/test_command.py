"""`python -m worker.models` against a real HTTPS server: fetched whole, fetched in pieces, refused, offline, trusted."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import Engine

from shared.database.repositories.members import sha256_of
from shared.database.session import sessions
from shared.errors import MachineryFailure, Misconfigured, Unavailable
from worker.members import registration
from worker.models import __main__ as command
from worker.models import download as downloading
from worker.models.download import Offline, Refused, Source, download
from worker.models.writing import append, block
from worker.potentials import identity, members_file, registry
from worker.potentials.members_file import MemberTable

from .conftest import CONTENT, SHA256, Server, publish


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    return int(ended.value.code or 0)


def fetched(
    server: Server, tmp_path: Path, hosts: tuple[str, ...] = (), sha256: str = ""
) -> list[tuple[int, int | None]]:
    """Download, and what was told of its progress."""
    told: list[tuple[int, int | None]] = []
    download(
        Source(server.url, hosts, sha256),
        tmp_path / "eqv2.pt",
        lambda here, total: told.append((here, total)),
        pause_s=0.0,
    )
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


@pytest.mark.parametrize(
    "changes", [{"tag": '"two"', "content": CONTENT[:2] + CONTENT[:1:-1]}, {"knows_ranges": False}]
)
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
    (tmp_path / "eqv2.pt.part.tag").write_text(f"{len(CONTENT)}\n{server.tag}")
    fetched(server, tmp_path)
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / "eqv2.pt.part").write_bytes(CONTENT + b"more")
    (tmp_path / "eqv2.pt.part.tag").write_text(f"{len(CONTENT)}\n{server.tag}")
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
    address = "https://127.0.0.1:9/published/eqv2.pt"  # the discard port: nobody listens
    publish(monkeypatch, address=address)
    file, target = tmp_path / "members.toml", tmp_path / "eqv2.pt"
    assert run("fetch", published, "--file", str(file)) == 2
    said = capsys.readouterr().err
    assert "can't be reached" in said
    assert f"get {address} on another machine, put it at {target}, and run this command again" in said
    assert not file.exists()
    target.write_bytes(CONTENT)
    assert run("fetch", published, "--file", str(file)) == 0
    assert registry.read(file)[published].sha256 == SHA256
    with pytest.raises(Offline):
        download(Source(address), tmp_path / "other.pt", lambda here, total: None)


def test_a_published_checksum_that_differs_is_refused_and_nothing_kept(
    server, published, tmp_path, capsys, monkeypatch
):
    publish(monkeypatch, sha256="0" * 64)
    assert run("fetch", published, "--file", str(tmp_path / "members.toml")) == 2
    assert f"SHA-256 is {SHA256}, not the expected {'0' * 64}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


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
    assert run(*words) == 2
    assert "has a member my-mace already" in capsys.readouterr().err
    assert run("add", "emt", *words[2:]) == 2
    assert "comes with Adhop" in capsys.readouterr().err
    assert run("add", "other", *words[2:], "--option", "colour=red") == 2
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"content": b"<!DOCTYPE html><html>sign in</html>"}, "is a web page, and no checkpoint"),
        ({"content": b"\n  <html>", "headers": {"Content-Type": "application/octet-stream"}}, "is a web page"),
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, r"is a web page \(text/html\)"),
        ({"content": b'{"error": "gone"}'}, "neither a zip archive nor a pickle"),
        ({"content": b"version https://git-lfs.github.com/spec/v1"}, "neither a zip archive nor a pickle"),
        ({"length": -1}, "doesn't say how long the file is"),
        ({"headers": {"Content-Encoding": "gzip"}}, "comes packed"),
        ({"length": 10**12}, "1000.0 GB long; 20 GB are taken at most"),
        ({"status": 302, "location": "http://localhost/other.pt"}, "is not HTTPS"),
        (
            {"status": 301, "location": "https://127.0.0.1:9/other.pt"},
            "leads to the host 127.0.0.1, and its entry allows localhost",
        ),
        ({"status": 307, "location": "https://elsewhere.example/eqv2.pt"}, "leads to the host elsewhere.example"),
        ({"status": 308, "location": "/published/eqv2.pt"}, "redirects more than 5 times"),
        ({"status": 302, "location": "file:///etc/passwd"}, "is not HTTPS"),
    ],
)
def test_what_is_not_the_file_is_refused_at_once_and_nothing_kept(server, tmp_path, changes, said):
    for name, value in changes.items():
        setattr(server, name, value)
    with pytest.raises(Refused, match=said):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(server.ranges) <= 6


def test_an_address_that_is_no_https_is_refused_before_anything_is_asked(server, tmp_path):
    server.url = server.url.replace("https", "http")
    with pytest.raises(Refused, match="is not HTTPS"):
        fetched(server, tmp_path)
    assert server.ranges == []
    with pytest.raises(ValueError, match="address"):
        MemberTable.model_validate({"name": "a", "family": "escn", "energy_kind": "total", "address": server.url})


def test_a_redirect_to_a_host_that_the_entry_names_is_followed(server, tmp_path):
    server.status, server.location = 302, server.url.replace("localhost", "127.0.0.1").replace("published", "other")
    with pytest.raises(Refused, match="leads to the host"):
        fetched(server, tmp_path)
    fetched(server, tmp_path, hosts=("127.0.0.1",))
    assert (tmp_path / "eqv2.pt").read_bytes() == CONTENT


def test_a_server_without_a_certificate_that_holds_is_not_asked(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Offline, match=r"(?i)certificate"):
        fetched(server, tmp_path)
    assert server.ranges == []


def test_a_body_shorter_than_was_said_is_never_taken_for_the_file(server, tmp_path):
    server.content, server.length = CONTENT[:1000], len(CONTENT)
    with pytest.raises(Unavailable, match="cut 5 times"):
        fetched(server, tmp_path)
    assert not (tmp_path / "eqv2.pt").exists()


def test_an_archive_that_is_cut_is_refused_though_its_length_is_what_was_said(server, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data.pkl", bytes(5000))
    server.content = packed.getvalue()[:-30]
    with pytest.raises(Refused, match="the archive has no end"):
        fetched(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.content = packed.getvalue()
    fetched(server, tmp_path)
    assert (tmp_path / "eqv2.pt").read_bytes() == packed.getvalue()


def test_a_checksum_that_is_known_is_compared(server, tmp_path):
    fetched(server, tmp_path, sha256=SHA256)
    with pytest.raises(Refused, match=f"SHA-256 is {SHA256}, not the expected"):
        fetched(server, tmp_path, sha256="f" * 64)


def test_a_server_that_gets_nowhere_is_left(server, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(downloading, "_LEAST_BYTES", 10**9)
    with pytest.raises(Unavailable, match="cut 5 times"):
        fetched(server, tmp_path)
    monkeypatch.setattr(downloading, "_LONGEST_S", 0.0)
    with pytest.raises(Unavailable, match="not here after 0 h"):
        fetched(server, tmp_path)


def test_a_link_in_the_place_of_the_part_is_not_written_through(server, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "eqv2.pt.part").symlink_to(tmp_path / "victim")
    with pytest.raises(Misconfigured, match="symbolic link"):
        fetched(server, tmp_path / "models")
    assert (tmp_path / "victim").read_text() == "precious"


def test_the_first_file_is_trusted_in_words_and_another_one_refused(server, published, tmp_path, capsys):
    file, checkpoint = tmp_path / "members.toml", tmp_path / "eqv2.pt"
    assert run("fetch", published, "--file", str(file)) == 0
    assert "trusted because it came first" in " ".join(capsys.readouterr().out.split())
    noted = subprocess.run(
        ["sha256sum", "-c", "eqv2.pt.sha256"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert noted.stdout == "eqv2.pt: OK\n"
    file.unlink()  # somebody begins anew
    checkpoint.unlink()
    server.content, server.tag = CONTENT[:-1], '"two"'
    assert run("fetch", published, "--file", str(file)) == 2
    said = capsys.readouterr().err
    assert f"first got under this name had {SHA256}" in said
    assert "Ask who published it" in said
    assert not file.exists()


def swapped(file: Path, engine: Engine) -> registry.Registry:
    """A site's member that the database knows, whose checkpoint was then replaced."""
    checkpoint = file.with_name("ours.model")
    checkpoint.write_bytes(CONTENT)
    table = f'[[member]]\nname = "ours"\nfamily = "mace"\npath = "ours.model"\nsha256 = "{SHA256}"\n'
    file.write_text(f'# by hand\n{table}energy_kind = "total"\nelements = ["H"]\n')
    registration.register_all(registry.read(file), sessions(engine))
    checkpoint.write_bytes(CONTENT[:-1])
    return registry.read(file)


def test_a_swapped_checkpoint_is_refused_until_it_is_trusted(engine: Engine, tmp_path, capsys, monkeypatch):
    file, opened = tmp_path / "members.toml", sessions(engine)
    entry = swapped(file, engine)["ours"]
    with pytest.raises(MachineryFailure, match=r"was swapped or is damaged.*worker\.models trust"):
        identity.checkpoint(entry)
    monkeypatch.delenv("ADHOP_DATABASE_URL", raising=False)
    assert run("trust", "ours", "--file", str(file)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"SHA-256 was {SHA256}, is now" in said
    assert "The database was not told" in said
    assert file.read_text().startswith("# by hand\n")
    entry = registry.read(file)["ours"]
    identity.checkpoint(entry)
    with opened() as session, pytest.raises(registration.OtherCheckpoint, match=f"known with SHA-256 {SHA256}"):
        registration.refuse_other(session, entry)
    registration.register_all(registry.read(file), opened)
    with opened() as session:
        assert sha256_of(session, "ours") == SHA256, "a worker that starts must not change what the name stands for"
    environment = {
        **os.environ,
        "ADHOP_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "ADHOP_BROKER_URL": "redis://nowhere/0",
    }
    words = [sys.executable, "-m", "worker.models", "trust", "ours", "--file", str(file)]
    told = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert (told.returncode, "knows it by that file now" in told.stdout) == (0, True), told.stderr
    with opened() as session:
        registration.refuse_other(session, entry)
    assert run("trust", "chgnet-0.3.0", "--file", str(file)) == 2


def test_a_checkpoint_or_a_file_of_members_that_others_can_change_is_refused(engine: Engine, tmp_path):
    file = tmp_path / "members.toml"
    entry = swapped(file, engine)["ours"]
    assert entry.path is not None
    entry.path.chmod(0o666)
    with pytest.raises(Misconfigured, match="can be changed by other accounts"):
        identity.checkpoint(entry)
    file.chmod(0o666)
    with pytest.raises(Misconfigured, match="can be changed by other accounts"):
        registry.read(file)


def test_a_checkpoint_that_is_replaced_while_it_is_loaded_is_not_used(engine: Engine, tmp_path):
    entry = swapped(tmp_path / "members.toml", engine)["ours"]
    assert entry.path is not None
    with identity.unchanged(entry):
        entry.path.read_bytes()
    (tmp_path / "new").write_bytes(CONTENT)
    with pytest.raises(MachineryFailure, match="was changed while it was loaded"), identity.unchanged(entry):
        (tmp_path / "new").replace(entry.path)
