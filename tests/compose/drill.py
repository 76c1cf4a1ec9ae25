"""The drill: up, a job, each container's confinement, each container killed, stopped, gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from adhop import AdhopError, Client, Job
from ase.build import fcc111

from tests.compose import confinement
from tests.compose.compose import PORT, Failed, Project

URL = f"http://127.0.0.1:{PORT}"
LASTING = ("postgres", "broker", "api", "dispatcher", "cpu", "gpu")
"""Services that run until they are stopped."""
_RECOVERY_S = 180.0


class Diary:
    """Lines with their times, on standard output and in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = time.time() if not path.exists() else path.stat().st_ctime

    def say(self, line: str) -> None:
        text = f"[{time.strftime('%H:%M:%S')}] {line}"
        print(text, flush=True)  # noqa: T201 - a command line prints
        with self._path.open("a") as file:
            file.write(f"{text}\n")

    def time(self, what: str, action: Callable[[], Any]) -> Any:
        began = time.monotonic()
        answer = action()
        self.say(f"{what}: {time.monotonic() - began:.1f} s")
        return answer


def run(project: Project, diary: Diary, *, outside: str | None) -> None:
    """outside: an address that the front end may reach and nobody else. Raises Failed."""
    diary.time("up, all healthy", lambda: project.run("up", "--detach", "--wait", "--no-build"))
    key = _key(project)
    with Client(URL, key) as client:
        diary.time("a job", lambda: _finished(_submit(client, "first")))
        for line in confinement.check(project, LASTING, outside):
            diary.say(line)
        for service in LASTING:
            diary.time(
                f"{service} killed, up again, and the job succeeded", lambda name=service: _kill(project, client, name)
            )
    diary.time("stop", lambda: project.run("stop"))


def remove(project: Project) -> None:
    """Containers, networks and volumes; nothing may be left of them."""
    project.run("down", "--volumes", "--timeout", "60")
    for kind in ("ps --all --quiet", "volume ls --quiet", "network ls --quiet --filter name=adhop-compose-test"):
        left = project.ask(*kind.split(), *(["--filter", "name=adhop-compose-test"] if kind.startswith("ps") else []))
        if kind.startswith("volume"):
            left = "".join(line for line in left.splitlines() if line.startswith("adhop-compose-test"))
        if left.strip():
            raise Failed(f"`{kind}` still shows {left}")


def _key(project: Project) -> str:
    """Of a user that is made as the documentation says."""
    words = ["run", "--rm", "--no-TTY", "--no-deps", "api", "python", "-m", "shared.database.admin"]
    told = project.run(*words, "create-user", "drill", "--role", "admin", "--key-file", "-")
    keys = [line for line in told.splitlines() if line.startswith("adhop_")]
    if len(keys) != 1:
        raise Failed(f"create-user printed no key: {told}")
    return keys[0]


def _submit(client: Client, name: str) -> Job:
    slab = fcc111("Pt", (2, 2, 3), a=3.97, vacuum=8.0, periodic=True)
    slab.set_tags(0)
    parameters = {"seed": 1, "placement": {"mode": "heuristic", "count": 2}, "hopping": {"hops": 1, "walkers": 2}}
    return client.submit(slab=slab, adsorbate="*CO", name=name, parameters=parameters)


def _finished(job: Job) -> None:
    """Wait, through answers that fail while something is away. Raises Failed unless it succeeds with minima."""
    until = time.monotonic() + _RECOVERY_S
    state = "unknown"
    while time.monotonic() < until:
        try:
            state = job.refresh().state
            if state == "succeeded" and job.minima():
                return
        except (AdhopError, httpx.HTTPError):
            state = "not told"
        if state in ("failed", "cancelled"):
            break
        time.sleep(0.5)
    raise Failed(f"job {job.id} did not succeed within {_RECOVERY_S:.0f} s: {state}")


def _kill(project: Project, client: Client, service: str) -> None:
    """Kill the first process of the container while a job runs; it is started again, and the job succeeds."""
    job = _submit(client, service)
    before = project.inspect(service)["State"]["Pid"]
    os.kill(before, signal.SIGKILL)
    until = time.monotonic() + _RECOVERY_S
    while time.monotonic() < until:
        state = project.inspect(service)["State"]
        if state["Pid"] not in (0, before) and project.health(service) == "healthy":
            break
        time.sleep(0.5)
    else:
        raise Failed(f"{service} did not come back within {_RECOVERY_S:.0f} s of its death: {project.health(service)}")
    _finished(job)
