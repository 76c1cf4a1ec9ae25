"""docs/administrators-day.md, step by step: each of its commands is run as it stands there, against a running service."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from adhop import AdhopError, Client, JobFailed
from ase.build import fcc111
from sqlalchemy import select, update

from local import processes
from local.postgres import Postgres
from local.stack import Stack
from shared.database.session import connect, sessions
from shared.database.tables import Reference
from shared.states import State

from .conftest import FAST, start_workers, wait_until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "administrators-day.md"
CHECKPOINTS = ROOT / "tests" / "checkpoints"
MEMBER = "gemnet-oc-small"
QUICK = {"seed": 1, "placement": {"count": 1}, "hopping": {"hops": 0}}
LONG = {"seed": 1, "placement": {"count": 8}, "hopping": {"hops": 1000, "patience": 1000}}


def commands(heading: str) -> Iterator[str]:
    """The commands of a section, in their order."""
    section = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    [text] = [one for one in section if one.startswith(heading)]
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        yield from block.splitlines()


@dataclass
class Desk:
    """Where the administrator sits: a folder, and what the commands of a section are run with."""

    stack: Stack
    folder: Path
    models: Path
    ran: set[str]

    def run(self, command: str, status: int = 0, key_file: Path | None = None, **words: str) -> str:
        """What a command of the page says; capitals in it are replaced by `words`."""
        self.ran.add(command)
        for word, value in words.items():
            command = command.replace(word, value)
        program, *rest = shlex.split(command)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ADHOP_")} | {
            "ADHOP_URL": self.stack.url,
            "ADHOP_KEY_FILE": str(key_file or self.stack.key_file),
            "ADHOP_MODELS_FILE": str(self.models),
            "ADHOP_DATABASE_URL": self.stack.environment()["ADHOP_DATABASE_URL"],
            "ADHOP_BROKER_URL": self.stack.environment()["ADHOP_BROKER_URL"],
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
        }
        executable = sys.executable if program == "python" else str(Path(sys.executable).parent / program)
        ended = subprocess.run(
            [executable, *rest], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == status, f"{command}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout + ended.stderr

    def client(self, key_file: Path) -> Client:
        return Client(self.stack.url, key_file.read_text().strip())


@pytest.fixture(scope="module")
def desk(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    models = tmp_path_factory.mktemp("models")
    shutil.copy(CHECKPOINTS / "gemnet_oc.pt", models)
    text = (CHECKPOINTS / "members.toml").read_text()
    [entry] = [one for one in text.split("[[member]]") if f'"{MEMBER}"' in one]
    (models / "members.toml").write_text(f"[[member]]{entry}")
    postgres.create_database("day", template="migrated")
    variables = FAST | {"ADHOP_DEFAULT_SEARCH_MEMBERS": "emt", "ADHOP_DEFAULT_SCORE_MEMBERS": "emt"}
    with Stack(tmp_path_factory.mktemp("day"), variables, postgres=postgres, database="day") as stack:
        stack.start_servers()
        stack.make_key()
        stack.start(processes.API)
        start_workers(stack, "emt")
        stack.wait_ready(120)
        yield Desk(stack, tmp_path_factory.mktemp("desk"), models / "members.toml", set())
    postgres.drop_database("day")


def submit(client: Client, parameters: dict[str, object], adsorbate: str = "*O"):
    slab = fcc111("Cu", (2, 2, 3), a=3.6, vacuum=8.0, periodic=True)
    return client.submit(slab=slab, adsorbate=adsorbate, parameters=parameters)


def test_a_new_user(desk: Desk):
    said = [desk.run(command) for command in commands("A new user")]
    key = desk.folder / "ada.key"
    assert key.stat().st_mode & 0o077 == 0
    assert not any(key.read_text().strip() in one for one in said)
    assert "ada" in said[-1]
    mine = desk.run("adhop me", key_file=key)
    assert "catalysis" in mine
    assert "50" in mine


def test_a_limit_is_reached(desk: Desk):
    desk.run("adhop admin limit ada --open-jobs 1")
    with desk.client(desk.folder / "ada.key") as ada:
        job = submit(ada, LONG)
        with pytest.raises(AdhopError, match=r"1 .*allowed"):
            submit(ada, QUICK)
        for command in commands("A limit is reached"):
            desk.run(command)
        other = submit(ada, QUICK)
        assert other.wait(progress=False, timeout_s=120).state == "succeeded"
        job.cancel()


def test_a_key_leaked(desk: Desk):
    key = desk.folder / "ada.key"
    prefix = key.read_text().split("_")[1]
    with desk.client(key) as ada:
        job = submit(ada, LONG)
        for command in commands("A key leaked"):
            said = desk.run(command, PREFIX=prefix)
            if command.startswith("adhop audit"):
                assert "job.submit" in said
                assert prefix in said
        wait_until(lambda: refused(ada), 15, "the key's end")
    with desk.client(desk.folder / "ada-2.key") as ada:
        assert ada.job(job.id).state in ("queued", "running")


def refused(client: Client) -> bool:
    try:
        list(client.jobs(limit=1))
    except AdhopError as error:
        return "key" in str(error)
    return False


def test_the_disk_is_full_and_somebody_makes_room(desk: Desk):
    with desk.client(desk.folder / "ada-2.key") as ada:
        job = submit(ada, QUICK).wait(progress=False, timeout_s=120)
        assert job.state == "succeeded"
        for command in commands("The disk is full"):
            desk.run(command, JOB=job.id)
        assert job.id not in [one.id for one in ada.jobs()]


def test_a_reference_failed(desk: Desk):
    engine = connect(desk.stack.environment()["ADHOP_DATABASE_URL"])
    try:
        with sessions(engine).begin() as session:
            [gas] = session.scalars(select(Reference).where(Reference.label == "H2O")).all()
            number = str(gas.id)
            session.execute(
                update(Reference)
                .where(Reference.id == gas.id)
                .values(state=State.FAILED, failure_kind="no_minimum", failure_reason="brought about by a test")
            )
        with desk.client(desk.folder / "ada-2.key") as ada:
            with pytest.raises(JobFailed, match="administrator"):
                submit(ada, QUICK).wait(progress=False, timeout_s=120)
            said = [desk.run(command, NUMBER=number) for command in commands("A reference failed")]
            assert "H2O" in said[0]
            again = submit(ada, QUICK).wait(progress=False, timeout_s=120)
            assert again.state == "succeeded"
    finally:
        engine.dispose()


def test_a_checkpoint_was_swapped(desk: Desk):
    checkpoint = desk.models.parent / "gemnet_oc.pt"
    checkpoint.write_bytes((CHECKPOINTS / "escn.pt").read_bytes())
    steps = list(commands("A checkpoint was swapped"))
    assert MEMBER in desk.run(steps[0], status=1)
    for command in steps[1:]:
        desk.run(command, MEMBER=MEMBER)


def test_a_user_leaves(desk: Desk):
    with desk.client(desk.folder / "ada-2.key") as ada:
        job = submit(ada, LONG)
        said = [desk.run(command) for command in commands("A user leaves")]
        assert "disabled" in said[-1]
        wait_until(lambda: refused(ada), 15, "the key's end")
    with desk.client(desk.stack.key_file) as administrator:
        assert administrator.job(job.id).state == "cancelled"


def test_every_command_of_the_page_was_run(desk: Desk):
    on_page = {
        line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) for line in block.splitlines()
    }
    assert on_page <= desk.ran
