"""Where the client takes its key from, and that it shows it nowhere."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from adhop import AdhopError, Client, cli, key

KEY = f"adhop_0a1b2c3d_{'e' * 64}"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (key.VARIABLE, key.FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    made = tmp_path / "key"
    made.touch(mode=0o600)
    made.write_text(f"{KEY}\n")
    return made


def sent(client: Client) -> str | None:
    return client._http.headers.get("Authorization")


def test_a_key_comes_from_the_call_the_environment_or_a_private_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sent(Client("http://x")) is None
    assert sent(Client("http://x", key=f" {KEY}\n")) == f"Bearer {KEY}"
    monkeypatch.setenv("ADHOP_KEY_FILE", str(file))
    assert sent(Client("http://x")) == f"Bearer {KEY}"
    monkeypatch.setenv("ADHOP_KEY", "adhop_other")
    assert sent(Client("http://x")) == "Bearer adhop_other"
    assert key.find(file=file) == KEY


def test_a_key_file_that_others_can_read_is_refused(file: Path) -> None:
    file.chmod(0o640)
    with pytest.raises(AdhopError, match=f"chmod 600 {file}"):
        key.find(file=file)
    with pytest.raises(AdhopError, match="No such file"):
        key.find(file=file.with_name("none"))


def test_a_key_can_be_piped_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))
    assert key.find(file="-") == KEY


@pytest.mark.parametrize("text", ["two words", "", "line\nline", "k\x00y", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_and_not_shown(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(AdhopError, match="holds no API key") as refused:
        key.find(file=file)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("words", [["--key", KEY, "jobs"], [f"--key={KEY}", "jobs"]])
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["adhop", "--url", "http://x", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "give --key-file FILE" in said.err
    assert "revoked" in said.err
    assert "eeee" not in said.err + said.out


@pytest.mark.parametrize("url", ["lab-server", "ftp://lab", "http://", "http://lab:port", "https://"])
def test_an_address_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(AdhopError, match="is no address of a server"):
        Client(url, key=KEY)
