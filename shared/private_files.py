"""Folders and files that no other account may have made, changed or, where they hold secrets, read.

Whatever we write or trust lies in such folders. Each is looked at before it is used: every step of the way to it belongs to us
or to root and can be changed by nobody else, and it is ours. Files are opened without following a symbolic link at their name,
and judged by what was opened, so that nothing can be put in their place in between.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shared.errors import Misconfigured

_PRIVATE, _PASSABLE = 0o700, 0o711
_WRITABLE, _OTHERS = 0o022, 0o077
_ROOT = 0
_MOST_LINKS = 40
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SAFELY = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe that somebody put there must not make us wait


def folder(path: Path, *, passable: bool = False) -> Path:
    """The folder, made with its parents where it is missing, for our eyes only. passable: others may walk through it
    and see nothing, as a server that runs under another account must. Raises Misconfigured, which says what to change."""
    absolute = path.absolute()
    for missing in reversed([one for one in (absolute, *absolute.parents) if not os.path.lexists(one)]):
        _check_way(missing.parent)
        try:
            missing.mkdir(mode=_PRIVATE)
        except FileExistsError:
            pass  # another process of ours was faster; what is there now is checked below
        except OSError as error:
            raise Misconfigured(f"the folder {missing} can't be made: {error.strerror}") from None
    real = _check_way(absolute)
    with _folder(real) as opened:
        mode, wanted = _mode(os.fstat(opened)), _PASSABLE if passable else _PRIVATE
        if mode & _OTHERS & ~wanted or (passable and mode & wanted != wanted):
            os.fchmod(opened, wanted)
    return path


def run_folder(configured: Path | None) -> Path:
    """The folder of marks that processes of ours leave each other, ADHOP_RUN_DIR where that is set. Raises Misconfigured."""
    if configured is not None:
        return folder(configured)
    session = os.environ.get("XDG_RUNTIME_DIR")
    if session and Path(session).is_dir():
        return folder(Path(session) / "adhop")
    usual = Path("/run/adhop") if os.geteuid() == _ROOT else Path("~/.local/state/adhop/run").expanduser()
    try:
        return folder(usual)
    except Misconfigured as error:
        raise Misconfigured(f"{error}; or set ADHOP_RUN_DIR to a folder of our own") from None


def opened(path: Path, mode: str) -> IO[bytes]:
    """A file of a folder of ours, opened as `open` does with "rb", "wb" or "ab", made where it is missing, and readable by us alone.
    Raises Misconfigured where it is not ours, and OSError."""
    flags = {
        "rb": os.O_RDONLY,
        "wb": os.O_WRONLY | os.O_CREAT,
        "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    }[mode]
    with _folder(path.parent) as beside:
        try:
            descriptor = os.open(path.name, flags | _SAFELY, 0o600, dir_fd=beside)
        except OSError as error:
            raise _not_opened(path, error) from None
    try:
        _check_ours(path, os.fstat(descriptor))
        os.fchmod(descriptor, 0o600)
        if mode == "wb":
            os.ftruncate(descriptor, 0)
        return os.fdopen(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise


def write(path: Path, text: str) -> None:
    """Write a file whole, or leave the old one: it takes its name when all of it is there. Raises Misconfigured and OSError."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with opened(half, "wb") as file:
            file.write(text.encode())
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def write_new(path: Path, text: str) -> None:
    """Write a file that isn't there yet, in whatever folder. Raises Misconfigured where a name is taken, or where others could put a
    file of theirs in its place, and OSError."""
    _check_step(
        _check_way(path.absolute().parent), os.stat(path.absolute().parent), "the folder of a file for our eyes only"
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFELY, 0o600)
    except FileExistsError:
        raise Misconfigured(f"{path} is there already: delete it, or give another name") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def read(path: Path) -> str:
    """The text of a file of ours. Raises Misconfigured for one that is not, FileNotFoundError."""
    with opened(path, "rb") as file:
        return file.read().decode()


def read_secret(path: Path) -> str:
    """The secret in a file of ours, without the line's end. Raises Misconfigured where others could read it, FileNotFoundError."""
    if stat.S_IMODE(os.lstat(path).st_mode) & _OTHERS and not path.is_symlink():
        raise Misconfigured(
            f"{path} holds a secret, and others can read it or could: run `chmod 600 {path}`, and replace the secret if others "
            "use this machine"
        )
    return read(path).strip()


def touch(path: Path) -> None:
    """Make an empty file, or set its time to now. Raises Misconfigured and OSError."""
    with opened(path, "ab") as file:
        os.utime(file.fileno())


def mark(path: Path) -> None:
    """Touch a file of a folder of ours that is made again where it is gone, as a session's is when it ends. Does nothing where that
    can't be done: whoever looks for the mark then takes us for stuck, and no work stops for it."""
    with contextlib.suppress(OSError, Misconfigured):
        touch(folder(path.parent) / path.name)


def touched(path: Path) -> float | None:
    """When the file was last touched, seconds since 1970; None where there is none, or one that is not ours."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_mtime if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() else None


def check_trusted(path: Path) -> None:
    """That what others can't change stands under this name, though they may read it. What lies on a file system that is mounted
    read-only is as whoever mounted it wants it. Raises Misconfigured, which says what to change, and FileNotFoundError."""
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return
    real = _check_way(path.absolute())
    _check_step(real, os.stat(real), "a file that is trusted")


def _check_way(path: Path) -> Path:
    """Walk down to a path, through symbolic links too, and look at each step; returns where it really is. Raises Misconfigured and
    FileNotFoundError."""
    here, ahead, links = Path("/"), list(path.parts[1:]), 0
    while ahead:
        step = ahead.pop(0)
        if step == "..":
            here = here.parent
            continue
        found = os.lstat(here / step)
        _check_owner(here / step, found)
        if not stat.S_ISLNK(found.st_mode):
            here = here / step
            if stat.S_ISDIR(found.st_mode) and ahead:
                _check_step(here, found, "a folder on the way to what we trust")
            continue
        links += 1
        if links > _MOST_LINKS:
            raise Misconfigured(f"{path} leads through more than {_MOST_LINKS} symbolic links")
        target = Path(os.readlink(here / step))
        here = Path("/") if target.is_absolute() else here
        ahead = [part for part in target.parts if part != "/"] + ahead
    return here


def _check_step(path: Path, found: os.stat_result, what: str) -> None:
    _check_owner(path, found)
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX  # there only owners rename and delete
    if _mode(found) & _WRITABLE and not sticky:
        raise Misconfigured(f"{path}, {what}, can be changed by other accounts: run `chmod go-w {path}`")


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (_ROOT, os.geteuid()):
        raise Misconfigured(
            f"{path} belongs to {_account(found.st_uid)}, who could change it or what lies in it, and we run as "
            f"{_account(os.geteuid())}: take a place of our own, or give it to us with chown"
        )


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """A folder of ours, open. Raises Misconfigured where others could put files there."""
    try:
        descriptor = os.open(path.resolve(), _FOLDER)
    except OSError as error:
        raise _not_opened(path, error) from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise Misconfigured(
                f"the folder {path} belongs to {_account(found.st_uid)}, and we run as {_account(os.geteuid())}: take a folder "
                f"that is ours, or give it to us with chown"
            )
        if _mode(found) & _WRITABLE:
            raise Misconfigured(
                f"other accounts can write into the folder {path}: look what lies there, then run `chmod go-w {path}`"
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _check_ours(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Misconfigured(f"{path} is no file: something else was put in its place; delete it")
    if found.st_uid != os.geteuid():
        raise Misconfigured(
            f"{path} belongs to {_account(found.st_uid)}, and we run as {_account(os.geteuid())}: delete it, or give it to us with "
            "chown"
        )


def _not_opened(path: Path, error: OSError) -> Exception:
    if path.is_symlink():
        return Misconfigured(f"{path} is a symbolic link, where a file of our own belongs: delete it")
    return type(error)(error.errno, error.strerror, str(path))


def _mode(found: os.stat_result) -> int:
    """Permissions, less those of a group in which the owner is alone, as many systems give one to each account."""
    mode = stat.S_IMODE(found.st_mode)
    return mode & ~0o070 if mode & 0o020 and _alone(found.st_uid, found.st_gid) else mode


def _alone(uid: int, gid: int) -> bool:
    import grp  # not on every platform that the rest of the product runs on
    import pwd

    try:
        name, group = pwd.getpwuid(uid).pw_name, grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == name and set(group.gr_mem) <= {name}


def _account(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
