"""Files and folders as another account of the machine may have prepared them, and what is said of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared import private_files
from shared.errors import Misconfigured

OTHER = 12345
"""The uid of another account; only root can make files that are its."""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another account")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return private_files.folder(tmp_path / "ours")


def test_folders_are_made_for_our_eyes_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        private_files.folder(tmp_path / "a" / "b" / "c")
        private_files.folder(tmp_path / "passable", passable=True)
    finally:
        os.umask(before)
    assert [mode(tmp_path / one) for one in ("a", "a/b", "a/b/c", "passable")] == [0o700, 0o700, 0o700, 0o711]


def test_a_folder_of_ours_that_others_can_read_is_closed_and_one_they_can_write_refused(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(mode=0o755)
    private_files.folder(tmp_path / "old")
    assert mode(tmp_path / "old") == 0o700
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Misconfigured, match=f"chmod go-w {tmp_path}/open"):
        private_files.folder(tmp_path / "open")


def test_a_step_on_the_way_that_others_can_change_is_refused_unless_only_owners_rename_there(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(Misconfigured, match="can be changed by other accounts"):
        private_files.folder(tmp_path / "shared" / "ours")
    (tmp_path / "shared").chmod(0o1777)
    private_files.folder(tmp_path / "shared" / "ours")


@as_root
def test_what_another_account_made_is_never_used(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "planted").mkdir()
    os.chown(shared / "planted", OTHER, OTHER)
    (tmp_path / "victim").mkdir()
    (shared / "link").symlink_to(tmp_path / "victim")
    os.chown(shared / "link", OTHER, OTHER, follow_symlinks=False)
    for planted in (shared / "planted", shared / "planted" / "deeper", shared / "link", shared / "link" / "deeper"):
        with pytest.raises(Misconfigured, match=f"belongs to .*{OTHER}"):
            private_files.folder(planted)
    assert list((tmp_path / "victim").iterdir()) == []


@as_root
def test_a_file_that_another_account_left_in_a_folder_of_ours_is_refused(ours: Path) -> None:
    (ours / "mark").touch()
    os.chown(ours / "mark", OTHER, OTHER)
    for use in (private_files.touch, private_files.read, lambda path: private_files.opened(path, "wb")):
        with pytest.raises(Misconfigured, match="delete it, or give it to us"):
            use(ours / "mark")
    assert private_files.touched(ours / "mark") is None


def test_a_link_of_our_own_to_another_disk_is_followed_for_folders(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    private_files.write(private_files.folder(tmp_path / "link") / "file", "x")
    assert (tmp_path / "disk" / "file").read_text() == "x"


@pytest.mark.parametrize("way", ["rb", "wb", "ab"])
def test_a_link_in_the_place_of_a_file_is_not_followed(ours: Path, tmp_path: Path, way: str) -> None:
    (tmp_path / "victim").write_text("precious")
    (ours / "log").symlink_to(tmp_path / "victim")
    with pytest.raises(Misconfigured, match="is a symbolic link"):
        private_files.opened(ours / "log", way)
    assert (tmp_path / "victim").read_text() == "precious"
    assert private_files.touched(ours / "log") is None
    private_files.write(ours / "log", "takes its name")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (ours / "log").is_symlink()


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(ours: Path) -> None:
    os.mkfifo(ours / "pipe")
    with pytest.raises((Misconfigured, OSError)):
        private_files.opened(ours / "pipe", "wb")
    with pytest.raises(Misconfigured, match="is no file"):
        private_files.read(ours / "pipe")


def test_a_folder_that_others_can_write_into_holds_no_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    with pytest.raises(Misconfigured, match="other accounts can write into"):
        private_files.touch(tmp_path / "open" / "mark")


def test_files_are_ours_alone_and_written_whole(ours: Path) -> None:
    before = os.umask(0)
    try:
        private_files.write(ours / "whole", "one")
        private_files.touch(ours / "mark")
        private_files.write_new(ours / "new", "key")
    finally:
        os.umask(before)
    private_files.write(ours / "whole", "two")
    assert sorted(path.name for path in ours.iterdir()) == ["mark", "new", "whole"]
    assert {mode(path) for path in ours.iterdir()} == {0o600}
    assert private_files.read(ours / "whole") == "two"
    with pytest.raises(Misconfigured, match="is there already"):
        private_files.write_new(ours / "new", "other")
    assert private_files.read_secret(ours / "new") == "key"


def test_a_secret_that_others_could_read_is_no_secret(ours: Path) -> None:
    (ours / "key").write_text("k\n")
    (ours / "key").chmod(0o644)
    with pytest.raises(Misconfigured, match=f"chmod 600 {ours}/key"):
        private_files.read_secret(ours / "key")
    with pytest.raises(FileNotFoundError):
        private_files.read_secret(ours / "none")


def test_what_is_trusted_may_be_read_by_all_and_changed_by_none(tmp_path: Path) -> None:
    file = tmp_path / "members.toml"
    file.touch(mode=0o644)
    private_files.check_trusted(file)
    file.chmod(0o666)
    with pytest.raises(Misconfigured, match=f"chmod go-w {file}"):
        private_files.check_trusted(file)
    file.chmod(0o644)
    tmp_path.chmod(0o777)
    with pytest.raises(Misconfigured, match=f"chmod go-w {tmp_path}"):
        private_files.check_trusted(file)
    tmp_path.chmod(0o700)
    with pytest.raises(FileNotFoundError):
        private_files.check_trusted(tmp_path / "none")


def test_marks_lie_in_the_folder_that_is_set_or_the_sessions_or_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert private_files.run_folder(tmp_path / "set") == tmp_path / "set"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert private_files.run_folder(None) == tmp_path / "adhop"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = Path("/run/adhop") if os.geteuid() == 0 else tmp_path / ".local" / "state" / "adhop" / "run"
    assert private_files.run_folder(None) == expected
    assert mode(expected) == 0o700


def test_a_mark_is_made_again_with_its_folder_and_never_stops_whoever_makes_it(tmp_path: Path) -> None:
    mark = tmp_path / "gone" / "mark"
    private_files.mark(mark)
    assert private_files.touched(mark) is not None
    mark.unlink()
    mark.symlink_to(tmp_path / "victim")
    private_files.mark(mark)
    assert not (tmp_path / "victim").exists()
    mark.parent.chmod(0o777)
    private_files.mark(mark)


def test_two_processes_may_make_a_folder_at_once(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from shared import private_files; private_files.folder(Path(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "a" / "b")]) for _ in range(2)]
    assert [one.wait(60) for one in both] == [0, 0]
