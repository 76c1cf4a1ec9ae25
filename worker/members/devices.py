"""Devices: which CUDA devices this machine has, which of them a process may use, and how much memory is free on one.

NVIDIA's own management library is asked (nvidia-ml-py), so that nothing here creates a CUDA context. A device goes by its UUID:
indices change with drivers and with CUDA_VISIBLE_DEVICES.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pynvml

from shared.errors import Misconfigured

GIB = 1024**3
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Cuda:
    """A CUDA device as the driver reports it."""

    uuid: str
    index: int
    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Device:
    """What one worker process computes on."""

    kind: str
    """"cpu" or "cuda"."""
    id: str
    """What results of the device are filed under."""
    title: str

    def free_bytes(self) -> int:
        """Memory that is free now. Raises Misconfigured for a CUDA device that is gone."""
        return free_memory() if self.kind == "cpu" else _present(self.id).free_bytes

    def occupied_bytes(self) -> int:
        """Memory in use: of a CUDA device by everybody, of the CPU's by this process. What was added between two looks is the
        difference."""
        if self.kind == "cpu":
            return resident_bytes()
        device = _present(self.id)
        return device.total_bytes - device.free_bytes


CPU = Device("cpu", "cpu", "CPU")
NONE = Device("cpu", "none", "none")
"""Of a worker whose device isn't there."""


def cuda_devices() -> list[Cuda]:
    """Every CUDA device of this machine; none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_described(index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def _described(index: int) -> Cuda:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Cuda(
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        index=index,
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def chosen(found: Sequence[Cuda], *, visible: str | None, wanted: Sequence[str]) -> list[Cuda]:
    """The devices to use: of those that CUDA_VISIBLE_DEVICES (`visible`) shows, the `wanted` ones, or all where none is wanted.

    Both name devices by UUID, the beginning of one, or index. As CUDA does, whatever follows a name that fits nothing is not
    visible; a wanted device that isn't there raises Misconfigured.
    """
    shown = list(found) if visible is None else _visible(found, visible)
    if not wanted:
        return shown
    picked = []
    for name in wanted:
        device = _named(shown, name)
        if device is None:
            there = ", ".join(f"{one.index} ({one.uuid})" for one in shown) or "none"
            raise Misconfigured(f"ADHOP_DEVICES asks for {name}, which isn't visible here; visible are: {there}")
        if device not in picked:
            picked.append(device)
    return picked


def _visible(found: Sequence[Cuda], visible: str) -> list[Cuda]:
    shown: list[Cuda] = []
    for name in visible.split(","):
        device = _named(found, name.strip())
        if device is None or device in shown:
            break
        shown.append(device)
    return shown


def _named(found: Sequence[Cuda], name: str) -> Cuda | None:
    if name.isdecimal():
        return next((one for one in found if one.index == int(name)), None)
    fitting = [one for one in found if name.startswith("GPU-") and one.uuid.startswith(name)]
    return fitting[0] if len(fitting) == 1 else None


def own(kind: str) -> Device:
    """The device of this process: the first CUDA device that it sees, or the CPU. Raises Misconfigured where there is none."""
    if kind == "cpu":
        return CPU
    if kind != "cuda":
        raise Misconfigured(f"ADHOP_DEVICE is {kind!r}; it may be cpu or cuda")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = cuda_devices()
    shown = chosen(found, visible=visible, wanted=())
    if not shown:
        seen = f"CUDA_VISIBLE_DEVICES={visible} shows none of {len(found)}" if found else "the driver reports none"
        raise Misconfigured(f"this worker is to compute on a CUDA device, and {seen}")
    return Device("cuda", shown[0].uuid, f"{shown[0].name} ({shown[0].uuid})")


def _present(uuid: str) -> Cuda:
    for one in cuda_devices():
        if one.uuid == uuid:
            return one
    raise Misconfigured(f"the CUDA device {uuid} is gone: the driver reports it no more")


def free_memory() -> int:
    """Main memory that this process may still take, bytes: the system's, or what is left of its control group's limit."""
    words = {line.split(":")[0]: line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines()}
    free = int(words["MemAvailable"]) * 1024
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return free
    return free if limit == "max" else min(free, int(limit) - int(used))


def resident_bytes() -> int:
    """Main memory of this process, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
