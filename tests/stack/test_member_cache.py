"""Members in real worker processes: loaded when needed, evicted when memory is short, on a device that breaks."""

import hashlib
from pathlib import Path

import pytest
from ase.build import fcc111
from sqlalchemy import select

from local import processes
from local.stack import Stack
from shared.adsorbates import lookup
from shared.database.session import Sessions
from shared.database.tables import Attempt, Candidate, Job, MemberDevice, Worker
from shared.parameters import Hopping, JobParameters, Placement
from shared.states import State
from shared.structures import Structure
from shared.submissions import SlabSubmission
from tests.stack.jobs import insert_job

from .conftest import wait_for_end, wait_until

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[2]
FAULTY = ROOT / "tests" / "stack" / "faulty"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A site's file with two members of the family that breaks on demand, each of which says it takes 2 GiB."""
    (tmp_path / "weights").write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    tables = [
        f'[[member]]\nname = "{name}"\nfamily = "faulty"\npath = "weights"\nsha256 = "{sha256}"\nenergy_kind = "total"\n'
        'elements = ["H", "C", "O", "Pt"]\nlimits = { memory_gib = 2 }\n'
        for name in ("first", "second")
    ]
    (tmp_path / "members.toml").write_text("\n".join(tables))
    return tmp_path


def start(stack: Stack, folder: Path, **variables: str) -> None:
    stack.start(processes.DISPATCHER)
    stack.start(processes.CPU)
    members = ("first", "second")
    stack.start(
        processes.potentials(members),
        {
            "ADHOP_MEMBERS": ",".join(members),
            "ADHOP_MODELS_FILE": str(folder / "members.toml"),
            "ADHOP_MIN_FREE_GIB": "0",
            "PYTHONPATH": f"{FAULTY}:{ROOT}",
            **variables,
        },
    )


def submit(opened: Sessions, members: list[str], hops: int = 2, placements: int = 3) -> Job:
    slab = fcc111("Pt", (2, 2, 3), a=3.92, vacuum=8.0, periodic=True)
    slab.set_tags(0)
    submission = SlabSubmission(slab=Structure.from_oc_atoms(slab).to_document(), adsorbate=lookup("*CO"))
    parameters = JobParameters(seed=11, placement=Placement(count=placements), hopping=Hopping(hops=hops))
    with opened.begin() as session:
        return insert_job(session, submission, parameters, members)


def energies(opened: Sessions, job: Job) -> list[float]:
    with opened() as session:
        return sorted(session.scalars(select(Candidate.energy).where(Candidate.job_id == job.id)))


def test_members_are_loaded_when_needed_and_evicted_when_memory_is_short(stack: Stack, opened: Sessions, folder: Path):
    start(stack, folder, ADHOP_MEMBERS_MEMORY_GIB="3")
    wait_until(lambda: member_states(opened), 60, "a worker")
    assert not (folder / "loads").exists()
    for members in (["first"], ["first"], ["second"], ["first", "second"]):
        assert wait_for_end(opened, submit(opened, members, hops=1).id).state == State.SUCCEEDED
    loads = (folder / "loads").read_text().split()
    assert loads[:2] == ["first", "second"]
    assert 3 <= len(loads) <= 12  # both in one job share the room, and take turns in it
    with opened() as session:
        assert not session.scalars(select(Attempt.id)).all()
    shown = wait_until(lambda: [one for one in member_states(opened) if one["hits"]], 60, "a heartbeat with hits")
    assert all(one["evaluations"] > 0 for one in shown)


def test_a_sticky_fault_ends_the_process_and_the_job_ends_the_same(stack: Stack, opened: Sessions, folder: Path):
    start(stack, folder)
    undisturbed = submit(opened, ["first"])
    assert wait_for_end(opened, undisturbed.id).state == State.SUCCEEDED
    before = pids(opened)
    (folder / "fault").touch()
    disturbed = submit(opened, ["first"])
    assert wait_for_end(opened, disturbed.id).state == State.SUCCEEDED
    assert energies(opened, disturbed) == energies(opened, undisturbed)
    with opened() as session:
        attempts = session.scalars(select(Attempt)).all()
    assert {one.failure_kind for one in attempts} == {"device_fault"}
    assert "device-side assert" in attempts[0].reason
    assert pids(opened) - before
    assert (folder / "loads").read_text().split() == ["first", "first"]  # its successor loaded it anew, canary and all
    assert "this process exits" in stack.child("potentials").log.read_text()


def test_a_batch_that_does_not_fit_is_halved_and_the_size_kept(stack: Stack, opened: Sessions, folder: Path):
    (folder / "small").write_text("30")  # two adslabs of 14 atoms
    start(stack, folder)
    job = submit(opened, ["first"], hops=1, placements=6)
    assert wait_for_end(opened, job.id).state == State.SUCCEEDED

    def learned() -> int | None:
        with opened() as session:
            return session.scalar(select(MemberDevice.batch_atoms).where(MemberDevice.member == "first"))

    assert 14 <= wait_until(learned, 60, "the batch size") <= 30
    with opened() as session:
        assert not session.scalars(select(Attempt.id)).all()


def member_states(opened: Sessions) -> list[dict]:
    with opened() as session:
        return [one for row in session.scalars(select(Worker)) for one in row.member_states]


def pids(opened: Sessions) -> set[int]:
    with opened() as session:
        return set(session.scalars(select(Worker.pid).where(Worker.kind == "potentials")))
