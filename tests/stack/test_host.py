"""A service of `make up` as other accounts of its machine see it: no secret, nothing to change, nothing that stops it."""

import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from adhop import Client, RequestRefused

from local import service
from local.postgres import Postgres

from .test_local_commands import Shell

pytestmark = pytest.mark.stack

SECRET_FILES = {"key", "password", "adhop_owner-password", "adhop_app-password", "valkey.conf"}
LOOK = """
import os, sys
os.setgroups([])
os.setgid(12345)
os.setuid(12345)
for top in sys.argv[1:]:
    for folder, _, names in os.walk(top):
        for name in names:
            try:
                open(os.path.join(folder, name), 'rb').close()
            except OSError:
                continue
            print('read', os.path.join(folder, name))
        if os.access(folder, os.W_OK):
            print('write', folder)
        if os.access(folder, os.R_OK):
            print('list', folder)
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        environment = open(f'/proc/{pid}/environ', 'rb').read()
    except OSError:
        continue
    if b'ADHOP_' in environment:
        print('environ', pid)
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A service that is up."""
    top = tmp_path_factory.mktemp("host")
    (top / "temporary").mkdir()
    made = Shell(top / "home", ADHOP_MEMBERS="emt", ADHOP_CPU_WORKERS="1", TMPDIR=str(top / "temporary"))
    code, said = made.run("up")
    try:
        assert code == 0, said
        assert key(made) not in said
        client, stranger = Client(found(made).url, key(made)), Client(found(made).url, key(made)[:-1])
        with client, stranger:  # a request that is served and one that is refused are logged
            client.models()
            with pytest.raises(RequestRefused, match="the API key is unknown"):
                stranger.models()
        yield made
    finally:
        made.run("remove")


def found(shell: Shell) -> service.Running:
    running = service.running(shell.folder)
    assert running is not None
    return running


def key(shell: Shell) -> str:
    return (shell.folder / "key").read_text().strip()


def folders(shell: Shell) -> tuple[Path, ...]:
    return shell.folder, Postgres(shell.folder / "postgres").folder


def files(shell: Shell) -> Iterator[Path]:
    for folder in folders(shell):
        for path in folder.rglob("*"):
            if "programs" not in path.relative_to(folder).parts:  # a copy of what every installation has
                yield path


def secrets(shell: Shell) -> list[str]:
    passwords = [path.read_text().strip() for path in files(shell) if path.name.endswith("password")]
    assert len(passwords) == 4
    return [key(shell), *passwords]


def test_no_process_has_a_secret_among_its_words(shell: Shell) -> None:
    words = b"\n".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    assert b"valkey" in words
    for secret in secrets(shell):
        assert secret.encode() not in words


def test_no_log_holds_a_secret_nor_any_other_file_but_those_meant_to(shell: Shell) -> None:
    seen = set()
    for path in files(shell):
        if path.is_file():
            content = path.read_bytes()
            if any(secret.encode() in content for secret in secrets(shell)):
                seen.add(path.name)
    assert seen == SECRET_FILES
    logs = [path for path in files(shell) if path.suffix == ".log"]
    assert {path.name for path in logs} > {"service.log", "api.log", "create-user.log", "postgres.log", "valkey.log"}
    assert not any(re.search(rb"adhop_\w+_\w{20}|://[^ ]*:(?!\*)[^ /]+@", path.read_bytes()) for path in logs)


def test_every_file_and_folder_is_its_owners_alone(shell: Shell) -> None:
    for path in (*files(shell), *folders(shell)):
        mode = stat.S_IMODE(path.lstat().st_mode)
        passable = path.is_dir() and os.geteuid() == 0
        assert mode & 0o077 in ((0, 0o011) if passable else (0,)), f"{path}: {mode:o}"


def test_nothing_of_ours_lies_in_the_shared_temporary_folders(shell: Shell) -> None:
    assert list(Path(shell.variables["TMPDIR"]).glob("adhop*")) == []
    assert Postgres(shell.folder / "postgres").folder.parent in (shell.folder, Path("/var/lib/adhop"))
    assert {path.name.split("-")[0] for path in (shell.folder / "run").iterdir()} == {"dispatcher", "up"}


def test_no_process_of_ours_is_postgresqls_superuser_or_can_change_a_table(shell: Shell) -> None:
    urls = {url for pid in descendants(found(shell).pid) if (url := database_url(pid))}
    assert len(urls) == 1
    with psycopg.connect(urls.pop(), autocommit=True) as connection:
        port = connection.info.port
        who = connection.execute(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = user"
        )
        assert who.fetchone() == ("adhop_app", False, False, False)
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)
        for statement in ("CREATE TABLE mine (n int)", "DROP TABLE usage", "ALTER TABLE jobs ADD COLUMN mine int"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    server = Postgres(shell.folder / "postgres")
    server.port = port
    with psycopg.connect(server.url()) as superuser:
        connected = superuser.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'adhop' AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        assert connected.fetchall() == [("adhop_app",)]


def descendants(pid: int) -> list[int]:
    children = [
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    ]
    return [one for child in children for one in (child, *descendants(child))]


def database_url(pid: int) -> str | None:
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    name = b"ADHOP_DATABASE_URL="
    return next((one.removeprefix(name).decode() for one in variables if one.startswith(name)), None)


def test_processes_leave_no_core_dump(shell: Shell) -> None:
    limits = [Path(f"/proc/{pid}/limits").read_text() for pid in pids(shell)]
    assert len(limits) > 6
    assert {re.findall(r"Max core file size +(\d+) +(\d+)", text)[0] for text in limits} <= {("0", "0"), ("1", "1")}


def pids(shell: Shell) -> list[int]:
    """Processes of the service."""
    mark = shell._mark.encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
def test_another_account_reads_lists_and_writes_nothing(shell: Shell) -> None:
    for path in (shell.folder, *shell.folder.parents):  # what pytest hides, a lab's folder need not
        if path.is_relative_to(tempfile.gettempdir()) and path != Path(tempfile.gettempdir()) and path != shell.folder:
            path.chmod(0o755)
    command = [sys.executable, "-c", LOOK, *map(str, folders(shell))]
    looked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert looked.returncode == 0, looked.stderr
    assert [line for line in looked.stdout.splitlines() if "/programs" not in line] == []
