"""`python -m worker up`: one potentials worker for each CUDA device of this machine, or some on its CPU, started again when they end.

Each worker sees one device, by its UUID, so that no index can mean another one to it than to us.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import private_files
from shared.child import Child, spawn
from shared.errors import Misconfigured
from shared.queues import member_queue, worker_command
from shared.settings import Settings
from shared.supervision import Watched
from worker.members import devices
from worker.members.devices import GIB, Cuda
from worker.potentials import registry

log = logging.getLogger(__name__)

LOOK_S = 1.0
SCAN_S = 30.0
"""A device that was refused is looked at again after this long."""
GRACE_S = 50.0
"""A worker that was asked to stop is killed after this long."""
_LATE_S = 60.0


@dataclass(frozen=True)
class Worker:
    """A worker to start."""

    name: str
    members: tuple[str, ...]
    variables: Mapping[str, str]
    """Its environment, besides what it shares with us."""

    @property
    def command(self) -> list[str]:
        """The Celery of the environment that runs this."""
        words = worker_command([member_queue(member) for member in self.members], self.name)
        return [str(Path(sys.executable).with_name(words[0])), *words[1:]]


def members_here(settings: Settings, kind: str) -> tuple[str, ...]:
    """Members to host: those that the settings name, or every one that this environment can load on such a device. Raises
    Misconfigured where there is none."""
    if settings.members:
        return settings.members
    entries = registry.read(settings.models_file).entries.values()
    absences = {entry.name: registry.absence(entry, kind) for entry in entries}
    found = tuple(name for name, absence in absences.items() if absence is None)
    if not found:
        raise Misconfigured(f"this environment can host no member: {'; '.join(map(str, absences.values()))}")
    return found


def on_device(device: Cuda, members: tuple[str, ...]) -> Worker:
    variables = {"CUDA_VISIBLE_DEVICES": device.uuid, "ADHOP_DEVICE": "cuda", "ADHOP_MEMBERS": ",".join(members)}
    return Worker(f"gpu-{device.index}-{environment()}", members, variables)


def on_cpu(number: int, members: tuple[str, ...]) -> Worker:
    variables = {"CUDA_VISIBLE_DEVICES": "", "ADHOP_DEVICE": "cpu", "ADHOP_MEMBERS": ",".join(members)}
    return Worker(f"potentials-{number}-{environment()}", members, variables)


def environment() -> str:
    """Tells workers of different environments on one device apart: the folder's name, without what all such names begin with."""
    return Path(sys.prefix).name.removeprefix(".venv").strip("-.") or "main"


def refusal(device: Cuda, min_free_gib: float) -> str | None:
    """Why no worker is started on a device; None where one is."""
    if device.unusable:
        return f"device {device.index} ({device.name}, {device.uuid}) {device.unusable}"
    if device.free_bytes >= min_free_gib * GIB:
        return None
    return (
        f"device {device.index} ({device.name}, {device.uuid}) has {device.free_bytes / GIB:.1f} GiB free, less than "
        f"{min_free_gib:g} GiB (ADHOP_MIN_FREE_GIB): somebody else uses it; looked at again every {SCAN_S:.0f} s"
    )


class Supervisor:
    """Starts workers, keeps them up, and stops them in order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._watched: dict[str, Watched] = {}
        self._refused: dict[str, str] = {}
        self._scanned = 0.0
        self._mark = mark(settings)

    def run(self, stopped: threading.Event) -> None:
        """Until told to stop. Raises Misconfigured where the settings fit nothing that is here."""
        try:
            self._scan()
            while not stopped.wait(LOOK_S):
                if self._refused and time.monotonic() - self._scanned > SCAN_S:
                    self._scan_again()
                for watched in self._watched.values():
                    if line := watched.look():
                        log.warning("%s", line)
                private_files.mark(self._mark)
        finally:
            self._stop()

    def _scan_again(self) -> None:
        """What goes wrong here is no reason to end the workers that run."""
        try:
            self._scan()
        except Misconfigured as error:
            log.warning("devices not looked at again: %s", error)

    def _scan(self) -> None:
        self._scanned = time.monotonic()
        for worker in self._wanted():
            if worker.name not in self._watched:
                log.info("%s hosts %s", worker.name, ", ".join(worker.members))
                self._watched[worker.name] = Watched(worker.name, lambda worker=worker: _spawn(worker))  # type: ignore[misc]

    def _wanted(self) -> Iterable[Worker]:
        if self._settings.devices == ("cpu",):
            return self._on_cpu("ADHOP_DEVICES is cpu")
        found = devices.cuda_devices()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        usable = devices.chosen(found, visible=visible, wanted=self._settings.devices)
        if not usable and self._refused:
            return ()  # the device that was looked at again is gone; workers on the CPU would surprise
        if not usable:
            there = (
                f"CUDA_VISIBLE_DEVICES={visible} shows none of {len(found)} devices"
                if found
                else "no CUDA device is here"
            )
            return self._on_cpu(there)
        members = members_here(self._settings, "cuda")
        return [on_device(device, members) for device in usable if not self._refuse(device)]

    def _on_cpu(self, why: str) -> list[Worker]:
        members = members_here(self._settings, "cpu")
        log.warning("%s: %d potentials workers compute on the CPU (ADHOP_CPU_WORKERS)", why, self._settings.cpu_workers)
        return [on_cpu(number, members) for number in range(self._settings.cpu_workers)]

    def _refuse(self, device: Cuda) -> bool:
        """A device that one of ours works on already is full of our own members."""
        ours = any(name.startswith(f"gpu-{device.index}-") for name in self._watched)
        reason = None if ours else refusal(device, self._settings.min_free_gib)
        if reason is None:
            self._refused.pop(device.uuid, None)
            return False
        if device.uuid not in self._refused:
            log.warning("%s", reason)
        self._refused[device.uuid] = reason
        return True

    def _stop(self) -> None:
        for watched in self._watched.values():
            watched.child.ask()
        until = time.monotonic() + GRACE_S
        for watched in self._watched.values():
            watched.child.stop(max(1.0, until - time.monotonic()))
        self._mark.unlink(missing_ok=True)


def _spawn(worker: Worker) -> Child:
    return spawn(worker.name, worker.command, log=None, env={**os.environ, **worker.variables})


def mark(settings: Settings) -> Path:
    """Touched while the supervisor of this environment looks after its workers. Raises Misconfigured."""
    return private_files.run_folder(settings.run_dir) / f"up-{environment()}"


def check(settings: Settings) -> bool:
    """Whether the supervisor of this environment on this machine is at work."""
    touched = private_files.touched(mark(settings))
    return touched is not None and time.time() - touched < _LATE_S


def up(settings: Settings) -> None:
    """Start and supervise, until SIGTERM or SIGINT."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    Supervisor(settings).run(stopped)
