"""The process in which CPU stages are computed: warm, without the database, under limits of time and memory, and ended as soon as
nobody wants what it is at."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from services.systems.assembly import System
from services.systems.placement import Placed
from shared.children.pool import Broken as ChildBroken
from shared.children.pool import Kind, Lost, Pool, Unwanted, Why
from shared.database.tables import Job
from shared.errors import Broken, LostLease, TooCostly, WorkerLost
from shared.given import Given
from shared.settings import Settings
from worker.tasks.stage_child import Comparing, Placing

_GIB = 2**30

Wanted = Callable[[], bool]
"""Whether a result is still wanted; looked at several times a second."""


class StageProcess:
    """One process; it is started again when it had to be ended."""

    def __init__(self, settings: Settings, *, module: str = "worker.tasks.stage_child") -> None:
        self._settings = settings
        kind = Kind(
            name="stages",
            module=module,
            time_limit_s=settings.stage_limit_s,
            cpu_s=math.ceil(settings.stage_limit_s),
            memory_bytes=int(settings.stage_memory_gib * _GIB),
            queue_limit_s=settings.stage_limit_s,
            busy="another stage is being computed",
            codec="pickle",  # both ends are ours, and no text is read there
        )
        self._pool = Pool(kind, size=1)

    def start(self, *, wait: bool = False) -> None:
        """Begin to start it, so that the first stage finds it ready."""
        self._pool.start(wait=wait)

    def close(self) -> None:
        """End it."""
        self._pool.close()

    def find_placements(self, job: Job, wanted: Wanted, given: Given | None = None) -> tuple[System, list[Placed]]:
        """The system that was submitted, and where its walkers start. given: the structures, where the job was given them. Raises
        InvalidInput, TooCostly, WorkerLost, Broken, and LostLease where it is no longer wanted."""
        request = Placing(job.submission, job.read_parameters(), self._settings.max_atoms, given)
        change = (
            "ask for fewer placements (parameters.placement.count), lower Miller indices, or a smaller cell or molecule"
        )
        found: tuple[System, list[Placed]] = self._ask(request, wanted, "finding the placements", change)
        return found

    def representatives(self, request: Comparing, wanted: Wanted) -> list[int]:
        """For each minimum the index of the first that it is the same as. Raises as `find_placements`."""
        change = "search with fewer walkers or hops (parameters.hopping), or with a smaller cell"
        found: list[int] = self._ask(request, wanted, f"comparing the {len(request.structures)} minima", change)
        return found

    def _ask(self, request: Placing | Comparing, wanted: Wanted, what: str, change: str) -> Any:
        try:
            return self._pool.ask(request, wanted)
        except Unwanted as unwanted:
            raise LostLease(f"{what} was given up: nobody waits for it any more") from unwanted
        except ChildBroken as broken:
            raise Broken(str(broken)) from broken
        except Lost as lost:
            if lost.why is Why.ENDED:
                raise WorkerLost(f"the process that was {what} {lost}") from lost
            limits = {
                Why.TIME: f"longer than the {self._settings.stage_limit_s:g} s",
                Why.MEMORY: f"more than the {self._settings.stage_memory_gib:g} GiB",
            }
            raise TooCostly(f"{what} takes {limits[lost.why]} that a stage may take here: {change}") from lost
