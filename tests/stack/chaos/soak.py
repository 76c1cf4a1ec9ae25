"""`make soak MINUTES=n`: four workers, small jobs of several users, a fault every few seconds; the last line is one JSON object.

Faults come in the first 85 % of the time; what is left must end by itself. Memory, connections and files are compared between one
third and the end, in processes that lived through that.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import httpx
import redis
from sqlalchemy import text

from shared.states import State
from tests.stack.chaos import audit
from tests.stack.chaos.lab import MAX_ATTEMPTS, Lab

WORKERS = ("w0", "w1", "w2", "w3")
USERS = ("ada", "bo", "cy")
KINDS = [
    {"member": "emt", "hops": 1, "count": 2, "seed": 1},
    {"member": "emt", "hops": 2, "count": 1, "seed": 2},
    {"member": "emt", "hops": 0, "count": 3, "seed": 3, "element": "Cu"},
    {"member": "emt", "hops": 1, "count": 2, "seed": 4, "adsorbate": "*O"},
]
MOST_OPEN = 12
MEASURED = ("api", "dispatcher", "cpu")


class Soak:
    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab = lab
        self.rng = random.Random(seed)
        self.jobs: dict[UUID, dict[str, object]] = {}
        self.cancelled: set[UUID] = set()
        self.faults: Counter[str] = Counter()
        self.asleep: dict[int, float] = {}
        self.everything: dict[str, Callable[[], None]] = {
            "child killed": self.kill_child,
            "worker killed": self.kill_worker,
            "worker stopped": self.stop_worker,
            "worker asleep": self.sleep_worker,
            "broker killed": self.kill_broker,
            "broker frozen": self.freeze_broker,
            "broker emptied": self.empty_broker,
            "postgres restarted": self.restart_postgres,
            "dispatcher killed": lambda: self.kill("dispatcher"),
            "CPU worker killed": lambda: self.kill("cpu"),
            "API killed": lambda: self.kill("api"),
            "ten messages": lambda: self.lab.notify("emt", 10),
            "job cancelled": self.cancel,
        }

    def run(self, minutes: float) -> dict[str, object]:
        for kind in KINDS:
            self.lab.undisturbed(**kind)
        began = time.monotonic()
        ends, third = began + 60 * minutes, began + 20 * minutes
        sample: dict[str, dict[str, int]] = {}
        next_fault = next_word = began
        while (now := time.monotonic()) < ends:
            self.lab.stack.watch()
            self.wake(now)
            if now < began + 51 * minutes:
                self.submit()
                if now >= next_fault:
                    self.strike(measured=bool(sample))
                    next_fault = now + self.rng.uniform(2, 8)
            if now >= next_word:
                self.tell(now - began)
                next_word = now + 60
            if now > third and not sample and all(map(self.lab.running, MEASURED)):
                sample = self.sample()
            time.sleep(0.2)
        self.wake(float("inf"))
        self.lab.wait_for(*self.jobs, timeout_s=600)
        self.lab.until(lambda: all(map(self.lab.running, MEASURED)), "every process that is measured")
        return self.report(sample, minutes)

    def tell(self, seconds: float) -> None:
        ended = self.lab.count_jobs(State.SUCCEEDED)
        print(
            f"{seconds / 60:5.1f} min  {ended} of {len(self.jobs)} jobs succeeded, {self.faults.total()} faults",
            flush=True,
        )

    def submit(self) -> None:
        open_jobs = self.lab.count_jobs(State.QUEUED, State.RUNNING)
        if open_jobs < MOST_OPEN:
            kind = self.rng.choice(KINDS)
            self.jobs[self.lab.submit(**kind, user=self.rng.choice(USERS))] = kind

    def strike(self, *, measured: bool) -> None:
        """One fault; once memory is being compared, the processes that are compared live."""
        spared = {"dispatcher killed", "CPU worker killed", "API killed"} if measured else set()
        name = self.rng.choice([name for name in self.everything if name not in spared])
        self.everything[name]()
        self.faults[name] += 1

    def kill(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself, and is not yet started again
            os.killpg(self.lab.stack.child(name).process.pid, signal.SIGKILL)

    def kill_worker(self) -> None:
        self.kill(self.rng.choice(WORKERS))

    def kill_child(self) -> None:
        pids = [one.pid for one in self.lab.fresh_workers() if one.members and Path(f"/proc/{one.pid}").exists()]
        if pids:
            os.kill(self.rng.choice(pids), signal.SIGKILL)

    def stop_worker(self) -> None:
        self.lab.stack.child(self.rng.choice(WORKERS)).process.send_signal(signal.SIGTERM)

    def sleep_worker(self) -> None:
        pids = [one.pid for one in self.lab.fresh_workers() if one.members and Path(f"/proc/{one.pid}").exists()]
        if pids:
            pid = self.rng.choice(pids)
            os.kill(pid, signal.SIGSTOP)
            self.asleep[pid] = time.monotonic() + self.rng.uniform(1, 10)

    def wake(self, now: float) -> None:
        for pid, until in list(self.asleep.items()):
            if now > until:
                del self.asleep[pid]
                if Path(f"/proc/{pid}").exists():
                    os.kill(pid, signal.SIGCONT)

    def kill_broker(self) -> None:
        self.lab.stack.valkey.kill()
        time.sleep(1)
        self.lab.stack.valkey.start()

    def freeze_broker(self) -> None:
        pid = self.lab.stack.valkey.pid
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.rng.uniform(0.5, 3))
            os.kill(pid, signal.SIGCONT)

    def empty_broker(self) -> None:
        with redis.Redis.from_url(self.lab.stack.valkey.url) as broker:
            broker.flushall()

    def restart_postgres(self) -> None:
        self.lab.stop_postgres()
        time.sleep(self.rng.uniform(0, 3))
        self.lab.stack.postgres.start()

    def cancel(self) -> None:
        going = [job for job in self.jobs if not self.lab.state(job).ended]
        if going:
            job = self.rng.choice(going)
            with self.lab.client() as client:
                try:
                    answer = client.delete(f"/v1/jobs/{job}")
                except httpx.HTTPError:  # the API is just being started again
                    return
            if answer.status_code == 200:
                self.cancelled.add(job)

    def sample(self) -> dict[str, dict[str, int]]:
        found = {}
        for name in MEASURED:
            pid = self.lab.stack.child(name).process.pid
            files = len(os.listdir(f"/proc/{pid}/fd"))
            found[name] = {"pid": pid, "bytes": self.lab.memory(name), "files": files}
        with self.lab.opened() as session:
            found["postgres"] = {"connections": session.scalar(text("SELECT count(*) FROM pg_stat_activity")) or 0}
        return found

    def report(self, sample: dict[str, dict[str, int]], minutes: float) -> dict[str, object]:
        now = self.sample()
        states = Counter(self.lab.state(job).value for job in self.jobs)
        with self.lab.opened() as session:
            broken = audit.broken(session, MAX_ATTEMPTS)
        wrong = [
            str(job)
            for job, kind in self.jobs.items()
            if self.lab.state(job) is State.SUCCEEDED and self.lab.candidates(job) != self.lab.undisturbed(**kind)
        ]
        failed = [str(job) for job in self.jobs if self.lab.state(job) is State.FAILED]
        growth = {
            f"{name} MB": round((now[name]["bytes"] - sample[name]["bytes"]) / 1e6, 1)
            for name in MEASURED
            if sample and sample[name]["pid"] == now[name]["pid"]
        }
        growth |= {
            f"{name} files": now[name]["files"] - sample[name]["files"]
            for name in MEASURED
            if sample and sample[name]["pid"] == now[name]["pid"]
        }
        if sample:
            growth["postgres connections"] = now["postgres"]["connections"] - sample["postgres"]["connections"]
        return {
            "minutes": minutes,
            "jobs": len(self.jobs),
            "states": dict(states),
            "faults": sum(self.faults.values()),
            "by_fault": dict(self.faults),
            "attempts": dict(Counter(one.failure_kind for one in self.lab.attempts())),
            "unforeseen": sorted({one.reason for one in self.lab.attempts() if one.failure_kind == "broken"}),
            "duplicates": sum(line.startswith("I2") for line in broken),
            "losses": sum(not self.lab.state(job).ended for job in self.jobs),
            "failed": failed,
            "other_candidates": wrong,
            "broken": broken,
            "growth": growth,
            "clean": not (broken or wrong or failed),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    lab = Lab(Path(tempfile.mkdtemp(prefix="adhop-soak-")))
    try:
        lab.start()
        lab.heal()
        for name in WORKERS:
            if name in lab.stack.names():
                lab.kill(name)
            lab.run(name, members=("emt",))
        for name in WORKERS:
            lab.worker_pid(name)
        result = Soak(lab, asked.seed).run(asked.minutes)
    finally:
        lab.stop()
    for name, value in result.items():
        print(f"{name:14s} {value}")
    print(json.dumps(result))
    return not result["clean"]


if __name__ == "__main__":
    raise SystemExit(main())
