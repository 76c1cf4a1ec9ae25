"""What one user's large system costs another user's small job, on one worker: the real task on a real PostgreSQL, with a stand-in
potential that takes a time for each atom. The small job's wall time alone, and beside a job of large hops that holds every slot.

    python -m benchmarks.fairness [--quick]
"""

from __future__ import annotations

import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from alembic import command
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks import report
from local.migrations import configuration
from local.postgres import Postgres
from services.forces.potential import Card, Evaluation, Potential
from shared.broker import Notifier, celery_app
from shared.database.repositories.structures import keep
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Job, JobReference, Placement, Reference, Turn, User, Walker
from shared.database.workflow import lanes
from shared.parameters import Hopping, JobParameters
from shared.settings import Settings
from shared.states import OPEN, Stage, State
from shared.structures import Structure
from worker.lifecycle import shutdown
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.members import devices
from worker.members.cache import MemberCache
from worker.potentials import registry
from worker.tasks.member_task import MemberTask

ATOM_S = 0.0005
"""Of the stand-in, for each atom of a forward: CHGNet on two CPU cores takes about six times as long."""
FREE = 20
"""Atoms of a system that move."""
MEMBER = "emt"


class Springs:
    """Every atom hangs on a spring at where it was first seen: a smooth landscape that costs a time for each atom, and no more."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        time.sleep(ATOM_S * sum(map(len, structures)))
        return [
            Evaluation(float((one.positions**2).sum()) / 2, -np.array(one.positions, dtype=np.float64))
            for one in structures
        ]


def system(n_atoms: int) -> Structure:
    """Platinum with a carbon atom on it, spread out so far that nothing touches."""
    side = int(np.ceil(np.sqrt(n_atoms - 1)))
    grid = np.array([[4.0 * (i % side), 4.0 * (i // side), 0.0] for i in range(n_atoms - 1)])
    positions = np.vstack([grid, [0.0, 0.0, 2.0]])
    return Structure.from_tags(
        numbers=[78] * (n_atoms - 1) + [6],
        positions=positions.tolist(),
        cell=np.diag([4.0 * side, 4.0 * side, 30.0]),
        pbc=[True, True, True],
        tags=[1] * (n_atoms - 1) + [2],
        fixed=[i < n_atoms - FREE for i in range(n_atoms)],
    )


def add_job(session: Session, user: str, n_atoms: int, walkers: int, steps: int) -> Job:
    """A job in its search, its references there: each of its walkers makes so many steps of a relaxation that never ends."""
    owner = session.scalars(select(User).where(User.name == user)).one_or_none() or User(name=user)
    session.add(owner)
    session.flush()
    parameters = JobParameters(hopping=Hopping(hops=0, max_relaxation_steps=steps, fmax=0.001))
    structure = system(n_atoms)
    job = Job(
        user_id=owner.id, name=f"{n_atoms} atoms", adsorbate="C", surface="Pt", submission={}, search_members=[MEMBER],
        parameters=parameters.model_dump(mode="json"), score_members=[MEMBER], stage=Stage.SEARCHING, state=State.RUNNING,
    )  # fmt: skip
    session.add(job)
    session.flush()
    slab = structure.only(structure.slab)
    reference = Reference(
        member=MEMBER, digest=str(job.id), kind="slab", label="Pt", fmax=0.05, max_steps=10, structure_id=keep(session, slab),
        start_positions=slab.positions, positions=slab.positions, energy=0.0, state=State.SUCCEEDED,
    )  # fmt: skip
    session.add(reference)
    session.flush()
    session.add(JobReference(job_id=job.id, reference_id=reference.id))
    for index in range(walkers):
        placement = Placement(
            job_id=job.id, index=index, structure_id=keep(session, structure), positions=structure.positions + 0.01 * index,
            site="top", method="bench",
        )  # fmt: skip
        session.add(placement)
        session.flush()
        session.add(Walker(job_id=job.id, placement_id=placement.id, member=MEMBER))
    session.flush()
    lanes.refresh(session, [job.id])
    return job


def searched(opened: Sessions, job: Job) -> bool:
    with opened() as session:
        query = select(Walker.id).where(Walker.job_id == job.id, Walker.state.in_(OPEN)).limit(1)
        return session.scalar(query) is None


def worker(opened: Sessions, settings: Settings, potential: Potential) -> threading.Thread:
    """The task of a potentials worker, in a thread, until it is out of work."""
    cache = MemberCache([registry.shipped()[MEMBER]], devices.CPU, opened, settings, {})
    cache.get = lambda member: potential  # type: ignore[method-assign]
    cache.make_room = lambda member, busy: []  # type: ignore[method-assign]

    def run() -> None:
        with LeaseKeeper(opened, settings.lease_s) as keeper:
            MemberTask(settings, opened, cache, keeper, Notifier(celery_app(settings))).run(MEMBER)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def small_job_s(
    opened: Sessions, settings: Settings, potential: Potential, beside: dict[str, int] | None
) -> dict[str, Any]:
    """Wall time of the small job's search, s, and of a forward of the large one beside it, if any."""
    with opened.begin() as session:
        large = add_job(session, "large", **beside) if beside else None
    thread = None
    if large is not None:
        thread = worker(opened, settings, potential)
        time.sleep(3.0)  # it holds all slots, and goes on
    with opened.begin() as session:
        small = add_job(session, "small", n_atoms=30, walkers=4, steps=20)
    began = time.perf_counter()
    thread = thread or worker(opened, settings, potential)
    while not searched(opened, small):
        time.sleep(0.01)
        if not thread.is_alive() and not searched(opened, small):
            raise SystemExit("the worker ended before the job did")
    took = time.perf_counter() - began
    done = large is not None and searched(opened, large)
    shutdown.request()
    thread.join()
    shutdown.clear()
    with opened() as session:
        turns = select(User.name, func.sum(Turn.device_s)).join(Turn, Turn.user_id == User.id).group_by(User.name)
        spent = {name: seconds for name, seconds in session.execute(turns)}
    return {"wall_s": took, "large job done": done, "device_s": spent}


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a large job of 4 walkers")
    quick = parser.parse_args().quick
    large = {"n_atoms": 360, "walkers": 4 if quick else 16, "steps": 60}
    with tempfile.TemporaryDirectory(prefix="adhop-fairness-") as folder:
        shutdown.prepare(Path(folder) / "run")
        server = Postgres(Path(folder) / "postgres", durable=False)
        server.start()
        try:
            potential = Springs(registry.load(MEMBER).card)
            results = {}
            for name, beside in (("alone", None), ("beside 360 atoms", large)):
                url = server.create_database(name.replace(" ", "_"))
                command.upgrade(configuration(url), "head")
                settings = Settings(database_url=url, broker_url="redis://127.0.0.1:1/0", publish_timeout_s=0.1)
                engine = connect(url)
                results[name] = small_job_s(sessions(engine), settings, potential, beside)
        finally:
            server.remove()
    forward = ATOM_S * 360
    rows = [
        [name, f"{found['wall_s']:.2f}", f"{found['device_s']['small']:.2f}", str(found["large job done"])]
        for name, found in results.items()
    ]
    report.show(
        f"a job of 30 atoms; a forward of one large walk takes {forward:.2f} s",
        ["", "wall s", "device s of it", "large one done"],
        rows,
    )
    report.finish({name: round(found["wall_s"], 3) for name, found in results.items()} | {"large_forward_s": forward})


if __name__ == "__main__":
    main()
