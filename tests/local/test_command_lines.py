"""Every command line says expected trouble in one line: no traceback, no value of a setting, and a status that scripts can tell."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import processes
from local.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "very-secret"
GOOD = {
    "ADHOP_DATABASE_URL": f"postgresql://adhop:{SECRET}@127.0.0.1:1/adhop",
    "ADHOP_BROKER_URL": f"redis://:{SECRET}@127.0.0.1:1/0",
}
PYTHON = sys.executable
PROGRAMS = {
    "front end": [PYTHON, "-m", "api"],
    "its check": [PYTHON, "-m", "api", "check"],
    "dispatcher": [PYTHON, "-m", "worker.dispatcher"],
    "its check ": [PYTHON, "-m", "worker.dispatcher", "check"],
    "supervisor": [PYTHON, "-m", "worker", "up"],
    "its check  ": [PYTHON, "-m", "worker", "check"],
    "worker": [str(Path(PYTHON).with_name("celery")), *processes.CPU.command[1:]],
    "migrations": [str(Path(PYTHON).with_name("alembic")), "upgrade", "head"],
    "keys": [PYTHON, "-m", "shared.database.admin", "revoke", "0a1b2c3d"],
}


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADHOP_")}
    return subprocess.run(command, cwd=ROOT, env=kept | variables, capture_output=True, text=True, timeout=120)


def said_of(ended: subprocess.CompletedProcess[str]) -> str:
    said = ended.stdout + ended.stderr
    assert ended.returncode not in (0, None), said
    assert "Traceback" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize("name", PROGRAMS)
def test_settings_that_cannot_be_used(name: str) -> None:
    for variables, what in (
        (GOOD | {"ADHOP_LEASE_S": SECRET}, "ADHOP_LEASE_S: it should be a valid number"),
        (GOOD | {"ADHOP_DATABASE_URL": f"postgresql://adhop:{SECRET}/x@db/adhop"}, "ADHOP_DATABASE_URL: it must read"),
        ({"ADHOP_BROKER_URL": GOOD["ADHOP_BROKER_URL"]}, "ADHOP_DATABASE_URL: it is not set"),
    ):
        said = said_of(run(PROGRAMS[name], **variables))
        assert what in said
        assert said.count("\n") <= 2, said


@pytest.mark.parametrize("name", ["migrations", "keys"])
def test_a_database_that_is_away(name: str) -> None:
    away = GOOD | {"ADHOP_DATABASE_URL": f"postgresql://adhop:{SECRET}@127.0.0.1:{free_port()}/adhop"}
    said = said_of(run(PROGRAMS[name], **away))
    assert "the database can't be used: connection failed" in said
    assert said.count("\n") <= 2, said


@pytest.mark.parametrize("name", ["dispatcher", "supervisor", "worker"])
def test_a_folder_of_marks_that_others_can_change(name: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o777)
    said = said_of(run(PROGRAMS[name], **GOOD, ADHOP_RUN_DIR=str(tmp_path / "run"), ADHOP_MEMBERS="emt"))
    assert f"chmod go-w {tmp_path / 'run'}" in said


def local(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run([PYTHON, "-m", "local", *words, "--folder", str(folder)], **variables)


def test_the_service_of_this_machine(tmp_path: Path) -> None:
    said = said_of(local("serve", folder=tmp_path / "home", ADHOP_LEASE_S="soon"))
    assert said == "adhop: ADHOP_LEASE_S='soon': it should be a valid number, unable to parse string as a number\n"
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for command in ("up", "serve", "demo"):
        assert "chmod go-w" in said_of(local(command, folder=tmp_path / "open"))
    (tmp_path / "file").touch()
    assert said_of(local("up", folder=tmp_path / "file")).count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another account")
def test_a_record_that_another_account_planted_names_no_process_to_stop(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    sleeper = subprocess.Popen([PYTHON, "-c", "import time; time.sleep(60)"])
    started = Path(f"/proc/{sleeper.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    record = f'{{"pid": {sleeper.pid}, "started": {started}, "url": "x", "key_file": "x", "logs": "x"}}'
    (tmp_path / "home" / "running.json").write_text(record)
    os.chown(tmp_path / "home" / "running.json", 12345, 12345)
    try:
        assert "belongs to uid 12345" in said_of(local("down", folder=tmp_path / "home"))
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize(
    ("command", "seen"),
    [([PYTHON, "-m", "local", "status"], "pydantic"), ([str(Path(PYTHON).with_name("adhop")), "jobs"], "httpx")],
)
def test_ctrl_c_while_a_command_is_still_imported_is_no_traceback(command: list[str], seen: str) -> None:
    begun = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},  # it says what it has imported
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as a terminal starts it
    )
    assert begun.stderr is not None
    with begun.stderr as said:
        assert any(seen in line for line in said)
        begun.send_signal(signal.SIGINT)
        rest = said.read()
    assert begun.wait(60) in (-signal.SIGINT, 130)
    assert "Traceback" not in rest
    assert "KeyboardInterrupt" not in rest


def test_models(tmp_path: Path) -> None:
    (tmp_path / "members.toml").write_text("[[member")
    words = [PYTHON, "-m", "worker.models"]
    for command in (["list"], ["verify"], ["trust", "x"], ["fetch", "eqv2-31m-oc20-all-md"]):
        ended = run([*words, *command, "--file", str(tmp_path / "members.toml")])
        assert ended.returncode == 2
        assert "is not TOML" in said_of(ended)


def test_an_interrupted_command_ends_with_130(tmp_path: Path) -> None:
    file = tmp_path / "members.toml"
    os.mkfifo(file)  # nothing comes, so it waits
    waiting = subprocess.Popen(
        [PYTHON, "-m", "worker.models", "verify", "--file", str(file)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    with file.open("w"):  # opens when it reads
        time.sleep(0.2)
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert "Traceback" not in said
