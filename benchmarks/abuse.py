"""One user abuses the service in every way by turns, another one goes on: the other's waits, beside those without the abuser.

python -m benchmarks.abuse [--quick]     a table, and one JSON object as the last line; some three minutes (`--quick`: one)

The real stack with one worker on EMT, its default limits, everything on this machine, the abuser too. The honest user polls a job ten
times a second, submits one every other second and reads minima and candidates each second. Target: 99 % of the polls are answered
within 250 ms under every attack. Statuses are those that the abuser was answered with.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import numpy as np
from adhop import Client

from benchmarks import attacks
from benchmarks.report import finish, show
from benchmarks.service import serving
from local.stack import Stack
from shared.database.repositories.users import Role, create_key
from shared.database.session import connect, sessions

TARGET_MS = 250.0
SECONDS, QUICK_SECONDS = 12.0, 4.0
_PAUSE_S = {"poll": 0.1, "submit": 2.0, "read": 1.0}

Waits = dict[str, list[float]]
"""Milliseconds, by kind of request."""


def main() -> None:
    seconds = QUICK_SECONDS if "--quick" in sys.argv else SECONDS
    with serving(["emt"]) as (stack, _):
        honest, abuser = _keys(stack)
        with Client(stack.url, honest) as client:
            job = client.submit(
                bulk="Pt", miller=(1, 1, 1), adsorbate="*CO", parameters=attacks.SMALL_JOB["parameters"]
            )
            job.wait(progress=False)
        jobs = _own_jobs(stack.url, abuser)
        measured: dict[str, tuple[Waits, dict[int, int]]] = {"nobody": (_waits(stack.url, honest, job.id, seconds), {})}
        for name in attacks.ATTACKS:
            measured[name] = _under(name, stack, honest, abuser, job.id, jobs, seconds)
            jobs = _own_jobs(stack.url, abuser)
            sys.stderr.write(f"{name}: 99 % of the polls within {_quantiles(measured[name][0]['poll'])[1]:.0f} ms\n")
    _report(measured)


def _keys(stack: Stack) -> tuple[str, str]:
    engine = connect(stack.postgres.url(stack.database), pool_size=1)
    try:
        with sessions(engine).begin() as session:
            return create_key(session, "honest", Role.SUBMIT), create_key(session, "abuser", Role.SUBMIT)
    finally:
        engine.dispose()


def _own_jobs(url: str, key: str) -> list[str]:
    """Ids of the abuser's jobs, the newest 200; one is made where there is none."""
    with Client(url, key) as client:
        found = [job.id for job in client.jobs(limit=200)]
        return found or [client.submit(bulk="Pt", miller=(1, 1, 1), adsorbate="*CO").id]


def _under(
    name: str, stack: Stack, honest: str, abuser: str, job: str, jobs: list[str], seconds: float
) -> tuple[Waits, dict[int, int]]:
    """The honest user's waits during an attack, and what the attacker was answered."""
    with multiprocessing.get_context("spawn").Pool(1, initializer=os.nice, initargs=(5,)) as pool:
        pool.apply(time.sleep, (0,))  # it has started
        answers = pool.apply_async(attacks.run, (name, "127.0.0.1", stack.port, abuser, jobs, seconds))
        time.sleep(0.5)
        waits = _waits(stack.url, honest, job, seconds - 0.5)
        return waits, answers.get(60)


def _waits(url: str, key: str, job: str, seconds: float) -> Waits:
    """What the honest user waits for, each kind of request from a thread of its own."""
    until, found = time.monotonic() + seconds, Waits({kind: [] for kind in _PAUSE_S})
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        asks: Mapping[str, Callable[[], list[httpx.Response]]] = {
            "poll": lambda: [http.get(f"/v1/jobs/{job}")],
            "submit": lambda: [http.post("/v1/jobs", json=attacks.SMALL_JOB)],
            "read": lambda: [http.get(f"/v1/jobs/{job}/{what}") for what in ("minima", "candidates")],
        }

        def go_on(kind: str) -> None:
            while time.monotonic() < until:
                began = time.monotonic()
                answers = asks[kind]()
                found[kind].append(1000 * (time.monotonic() - began))
                bad = [answer.text for answer in answers if answer.is_error]
                if bad:
                    sys.stderr.write(f"{kind}: {bad[0]}\n")
                    found[kind][-1] = float("inf")
                time.sleep(_PAUSE_S[kind])

        threads = [threading.Thread(target=go_on, args=(kind,)) for kind in asks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


def _report(measured: Mapping[str, tuple[Waits, dict[int, int]]]) -> None:
    rows, told, worst = [], {}, 0.0
    for name, (waits, statuses) in measured.items():
        figures = {kind: _quantiles(values) for kind, values in waits.items()}
        told[name] = figures | {"statuses": {str(status): count for status, count in sorted(statuses.items())}}
        cells = [f"{low:.0f} / {high:.0f}" for low, high in figures.values()]
        rows.append([name, *cells, ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))])
        worst = max(worst, figures["poll"][1]) if name != "nobody" else worst
    headings = ["beside", *(f"{kind}, ms" for kind in _PAUSE_S), "the abuser got"]
    show("The honest user's waits: median / 99 %", headings, rows)
    result: dict[str, Any] = {"waits_ms": told, "poll_p99_ms": round(worst, 1), "within_target": worst <= TARGET_MS}
    finish(result)


def _quantiles(values: list[float]) -> tuple[float, float]:
    """Median and 99 %, ms."""
    low, high = np.quantile(values, [0.5, 0.99], method="higher") if values else (float("inf"),) * 2
    return round(float(low), 1), round(float(high), 1)


if __name__ == "__main__":
    main()
