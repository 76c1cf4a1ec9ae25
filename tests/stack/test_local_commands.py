"""What `make up`, `make down`, `make demo` and Ctrl-C do, seen from outside: real commands in folders of their own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from adhop import Client, RequestRefused
from ase.build import fcc111

from local import service
from local.postgres import Postgres

pytestmark = [pytest.mark.stack, pytest.mark.potentials]

ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = {"placement": {"count": 1}, "hopping": {"hops": 0}}


class Shell:
    """Runs `python -m local ...`, and knows every process that descends from it by a variable in its environment."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = variables
        self._mark = f"TEST_MARK={uuid4()}"

    def start(self, *words: str) -> subprocess.Popen[str]:
        name, value = self._mark.split("=")
        return subprocess.Popen(
            [sys.executable, "-m", "local", *words, "--folder", str(self.folder)],
            cwd=ROOT,
            env={**os.environ, **self.variables, name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output

    def left(self) -> list[str]:
        """Command lines of processes that still run."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it ended meanwhile
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    made = Shell(tmp_path / "home")
    yield made
    made.run("remove")


def until_said(process: subprocess.Popen[str], text: str) -> str:
    """Reads on until a line holds the text; what was read."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    return pytest.fail(f"never said {text!r}:\n{''.join(lines)}")


def test_up_serves_until_down_and_leaves_nothing_behind(shell):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", service.DEFAULT_PORT))
            taken.listen()
        except OSError:
            pass  # somebody else has it: taken all the same
        code, said = shell.run("up")
    assert code == 0, said
    found = service.running(shell.folder)
    assert found is not None
    assert f"Adhop is up at {found.url}" in said
    assert not found.url.endswith(f":{service.DEFAULT_PORT}")
    assert httpx.get(f"{found.url}/readyz").json()["ready"]
    assert found.url in shell.run("status")[1]
    assert found.url in shell.run("up")[1]  # a second one finds the first
    assert shell.run("down") == (0, "stopped\n")
    assert shell.left() == []
    assert shell.run("status")[1] == "nothing is running\n"
    data = Postgres(shell.folder / "postgres").folder
    assert data.exists()
    assert shell.run("remove") == (0, "nothing is running\n")
    assert not data.exists()
    assert not shell.folder.exists()


def test_up_hosts_the_members_that_are_named_with_the_settings_of_the_environment(tmp_path):
    shell = Shell(
        tmp_path / "home", ADHOP_MEMBERS="emt", ADHOP_CPU_WORKERS="1", ADHOP_MAX_ATOMS="20", ADHOP_LEASE_S="7"
    )
    try:
        code, said = shell.run("up")
        assert code == 0, said
        found = service.running(shell.folder)
        assert found is not None
        with Client(found.url, Path(found.key_file).read_text().strip()) as client:
            hosted = {one["name"] for one in client.models() if one["workers"]}
            job = client.submit(bulk="Pt", miller="111", adsorbate="*CO", min_depth=4, min_width=5, parameters=QUICK)
            assert (job.body["search_members"], job.body["score_members"]) == (["emt"], ["emt"])
            assert job.wait(progress=False, timeout_s=120).state == "succeeded"
            with pytest.raises(RequestRefused, match="at most 18 fit here"):
                client.submit(slab=fcc111("Pt", (3, 3, 3), vacuum=8, periodic=True), adsorbate="*CO")
        assert hosted == {"emt"}
        status = shell.run("status")[1]
        assert "members: emt\n" in status
        assert "ADHOP_LEASE_S=7\n" in status
        assert found.key_file not in status
        shell.variables = {"ADHOP_MEMBERS": "chgnet-0.3.0"}
        assert "it hosts emt already" in shell.run("up")[1]
    finally:
        shell.run("remove")
    assert shell.left() == []


def test_a_member_that_is_not_there_is_refused_by_name(tmp_path):
    shell = Shell(tmp_path / "home", ADHOP_MEMBERS="emt,nonesuch")
    code, said = shell.run("up")
    assert code == 2
    assert "ADHOP_MEMBERS=emt,nonesuch: no member is called 'nonesuch'; known are emt, " in said
    assert "Traceback" not in said
    assert shell.left() == []
    shell.run("remove")


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(shell):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = shell.run("up", "--port", str(port))
    assert code == 2
    assert f"port {port} is taken; give another" in said
    assert shell.left() == []


@pytest.mark.parametrize(
    "moment", ["PostgreSQL and Valkey", "front end, dispatcher", "doesn't answer yet", "submitted"]
)
def test_interrupting_the_demo_leaves_no_process_behind(shell, tmp_path, moment):
    demo = shell.start("demo", "--output", str(tmp_path / "output"))
    until_said(demo, moment)
    os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
    rest, _ = demo.communicate(timeout=90)
    assert demo.returncode == 130, rest
    assert "nothing is left running" in rest
    assert "Traceback" not in rest
    assert wait_while(shell.left) == []


def test_a_second_demo_takes_a_folder_of_its_own(shell, tmp_path):
    demos = [shell.start("demo", "--output", str(tmp_path / name)) for name in ("a",)]
    until_said(demos[0], "PostgreSQL and Valkey")
    demos.append(shell.start("demo", "--output", str(tmp_path / "b")))
    said = until_said(demos[1], "PostgreSQL and Valkey")
    assert "another demo runs" in said
    for demo in demos:
        os.killpg(demo.pid, signal.SIGTERM)
        demo.communicate(timeout=90)
    assert wait_while(shell.left) == []
    assert list(shell.folder.glob("demo-*")) == []


def wait_while(what: Callable[[], list[str]], timeout_s: float = 30.0) -> list[str]:
    """The list once it is empty, or what it still holds."""
    until = time.monotonic() + timeout_s
    while (left := what()) and time.monotonic() < until:
        time.sleep(0.1)
    return left
