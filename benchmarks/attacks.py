"""What one user can do to a front end, over plain sockets so that it costs the attacker little: for `benchmarks.abuse`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

SLAB: dict[str, Any] = {
    "kind": "bulk",
    "bulk": {"element": "Pt"},
    "miller": [1, 1, 1],
    "min_width": 5,
    "min_depth": 5,
    "adsorbate": "*CO",
}
SMALL_JOB: dict[str, Any] = {"input": SLAB, "parameters": {"placement": {"count": 1}, "hopping": {"hops": 1}}}
_LARGE_SYSTEM = {
    "input": SLAB | {"miller": [3, 2, 1], "min_width": 18, "min_depth": 10},
    "parameters": {"placement": {"count": 60}},
}
_CELL = "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n" + "".join(
    f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma")
)
_SLOW_TEXT = (
    f"{_CELL}_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n"
    "_atom_site_fract_z\n"
) + "".join(f"Pt {0.001 * n:.4f} {0.0013 * n:.4f} {0.0017 * n:.4f}\n" for n in range(1, 2000))
_SLOW_JOB = {"input": {"kind": "slab", "slab": {"format": "cif", "text": _SLOW_TEXT}, "adsorbate": "*CO"}}
_MANY_NUMBERS = {"input": {"kind": "slab", "slab": {"format": "arrays", "numbers": [78] * 90_000}, "adsorbate": "*CO"}}


@dataclass
class Target:
    """A front end, the attacker's key, and jobs of theirs."""

    host: str
    port: int
    key: str
    until: float
    """When to stop, by time.monotonic()."""
    jobs: Sequence[str] = ()
    statuses: dict[int, int] = field(default_factory=dict)
    """How often each was answered."""

    @property
    def on(self) -> bool:
        return time.monotonic() < self.until

    def message(self, method: str, path: str, body: Any = None, key: str | None = None) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        said = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {key or self.key}\r\n"
        return f"{said}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def send(self, messages: Callable[[], bytes]) -> None:
        """One message after another on a connection, a new one where it was closed."""
        while self.on:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
                reader, writer = await self.connect()
                try:
                    while self.on:
                        writer.write(messages())
                        await self._answer(reader)
                finally:
                    writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))


def _many(count: int, method: str, path: str, body: Any = None) -> Callable[[Target], Awaitable[None]]:
    """count connections that send the same again and again."""

    async def attack(target: Target) -> None:
        made = target.message(method, path.format(job=target.jobs[0]), body)
        await asyncio.gather(*(target.send(lambda: made) for _ in range(count)))

    return attack


async def _slow_uploads(target: Target) -> None:
    async def one() -> None:
        while target.on:
            with contextlib.suppress(OSError):
                _, writer = await target.connect()
                writer.write(target.message("POST", "/v1/jobs", {"name": "x" * 1_000_000})[:1000])
                while target.on and not writer.is_closing():
                    writer.write(b"x" * 1000)
                    await writer.drain()
                    await asyncio.sleep(0.3)
                writer.close()

    await asyncio.gather(*(one() for _ in range(45)))


async def _half_open(target: Target) -> None:
    async def one() -> None:
        while target.on:
            with contextlib.suppress(OSError):
                reader, writer = await target.connect()
                writer.write(b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(), max(0.0, target.until - time.monotonic()))
                writer.close()
            await asyncio.sleep(0.5)

    await asyncio.gather(*(one() for _ in range(200)))


async def _cancels(target: Target) -> None:
    left = (list(target.jobs) * (1 + 1000 // len(target.jobs)))[:1000]
    turn = iter(left)

    def message() -> bytes:
        job = next(turn, None)
        if job is None:
            target.until = 0.0
        return target.message("DELETE", f"/v1/jobs/{job or left[0]}")

    await asyncio.gather(*(target.send(message) for _ in range(32)))


async def _wrong_keys(target: Target) -> None:
    counted = iter(range(10**9))

    def message() -> bytes:
        return target.message("GET", "/v1/jobs", key=f"adhop_{next(counted):08x}_{'0' * 64}")

    await asyncio.gather(*(target.send(message) for _ in range(64)))


async def _big_pages(target: Target) -> None:
    pages = [
        _many(16, "GET", "/v1/jobs?limit=200"),
        _many(16, "GET", "/v1/jobs/{job}/candidates?limit=200"),
        _many(8, "GET", "/v1/jobs/{job}/candidates?limit=200&format=extxyz"),
    ]
    await asyncio.gather(*(page(target) for page in pages))


ATTACKS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "45 slow uploads": _slow_uploads,
    "200 half-open requests": _half_open,
    "60 heavy systems at once": _many(60, "POST", "/v1/systems", _LARGE_SYSTEM),
    "45 texts that take long to read": _many(45, "POST", "/v1/jobs", _SLOW_JOB),
    "45 bodies of many numbers": _many(45, "POST", "/v1/jobs", _MANY_NUMBERS),
    "a flood of polls": _many(64, "GET", "/v1/jobs/{job}"),
    "a flood of submissions": _many(32, "POST", "/v1/jobs", SMALL_JOB),
    "1,000 cancels": _cancels,
    "big pages": _big_pages,
    "a flood of wrong keys": _wrong_keys,
}


def run(name: str, host: str, port: int, key: str, jobs: Sequence[str], seconds: float) -> dict[int, int]:
    """One attack, for so long. Returns how often each status was answered."""
    target = Target(host, port, key, time.monotonic() + seconds, list(jobs))
    asyncio.run(_limited(partial(ATTACKS[name], target), seconds))
    return target.statuses


async def _limited(attack: Callable[[], Awaitable[None]], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(attack(), seconds + 1)
