"""Devices: which CUDA devices this machine has, which of them a process may use, and how much memory is free on one.

NVIDIA's own management library is asked (nvidia-ml-py), so that nothing here creates a CUDA context. A device goes by its UUID:
indices change with drivers and with CUDA_VISIBLE_DEVICES.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import pynvml

from shared.errors import MachineryFailure, Misconfigured
from worker.potentials import device_memory

log = logging.getLogger(__name__)

GIB = 1024**3
_CGROUP = Path("/sys/fs/cgroup")
_DEV = Path("/dev")
_WITHOUT_DRIVER = (pynvml.NVMLError_LibraryNotFound, pynvml.NVMLError_DriverNotLoaded)


@dataclass(frozen=True)
class Cuda:
    """A CUDA device as the driver reports it."""

    uuid: str
    index: int
    name: str
    total_bytes: int
    free_bytes: int
    unusable: str = ""
    """Why torch can't compute on it; empty where it can."""


@dataclass(frozen=True)
class Device:
    """What one worker process computes on."""

    kind: str
    """"cpu" or "cuda"."""
    id: str
    """What results of the device are filed under."""
    title: str

    def free_bytes(self) -> int:
        """Memory that is free for this process now: what its own torch keeps unused counts as free. Raises MachineryFailure for a
        CUDA device that doesn't answer."""
        return free_memory() if self.kind == "cpu" else _present(self.id).free_bytes + device_memory.unused_bytes()

    def taken_bytes(self) -> int:
        """Memory that this process has in use: of a CUDA device its tensors, of the CPU all that is resident."""
        return resident_bytes() if self.kind == "cpu" else device_memory.allocated_bytes()

    def most_taken_bytes(self) -> int:
        """The most that was in use since `release`."""
        return resident_bytes() if self.kind == "cpu" else device_memory.most_bytes()

    def release(self) -> None:
        """Let go of what is kept unused, so that others find it free too."""
        if self.kind == "cuda":
            device_memory.release()


CPU = Device("cpu", "cpu", "CPU")
NONE = Device("cpu", "none", "none")
"""Of a worker whose device isn't there."""


def cuda_devices() -> list[Cuda]:
    """Every CUDA device that answers; none on a machine without NVIDIA's driver. One that doesn't answer is left out, and said so in
    the log. Raises Misconfigured where there is a device, or a driver, and NVIDIA's library can't tell of it."""
    try:
        with _library():
            described = [_described(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        if isinstance(error, _WITHOUT_DRIVER) and not any(_DEV.glob("nvidia[0-9]*")):
            return []
        raise Misconfigured(
            f"NVIDIA's management library doesn't answer ({error}), and a driver or a device is here: in a container set "
            "NVIDIA_DRIVER_CAPABILITIES=compute,utility; on the host see that `nvidia-smi` works. ADHOP_DEVICES=cpu computes "
            "without them"
        ) from None
    return [device for device in described if device is not None]


@contextmanager
def _library() -> Iterator[None]:
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def _described(index: int) -> Cuda | None:
    """None for a device that is lost, or whose driver fails: its neighbours work on."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        uuid = _text(pynvml.nvmlDeviceGetUUID(handle))
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return Cuda(
            uuid=uuid,
            index=index,
            name=_text(pynvml.nvmlDeviceGetName(handle)),
            total_bytes=int(memory.total),
            free_bytes=int(memory.free),
            unusable=_unusable(handle),
        )
    except pynvml.NVMLError as error:
        log.error("CUDA device %d does not answer and is left out: %s", index, error)
        return None


def _unusable(handle: object) -> str:
    """Why the installed torch can't compute on a device; empty where it can."""
    with suppress(pynvml.NVMLError):  # most cards have no such mode, and say so by an error
        if pynvml.nvmlDeviceGetMigMode(handle)[0]:
            return "is split by MIG, and only whole devices are used: switch it off (nvidia-smi -mig 0)"
    cuda = torch_cuda()
    if cuda is None:
        return ""
    driver = divmod(pynvml.nvmlSystemGetCudaDriverVersion(), 1000)[0]
    if driver < cuda:
        version = _text(pynvml.nvmlSystemGetDriverVersion())
        return f"has driver {version}, for CUDA {driver}; torch is built for CUDA {cuda}: install driver {_DRIVERS[cuda]} or later"
    capability = tuple(pynvml.nvmlDeviceGetCudaComputeCapability(handle))
    if capability < _OLDEST[cuda]:
        found, needed = (".".join(map(str, one)) for one in (capability, _OLDEST[cuda]))
        return f"has compute capability {found}, and torch here needs {needed}: take the device out of ADHOP_DEVICES"
    return ""


_DRIVERS = {12: "525", 13: "580"}
"""The oldest driver of each CUDA."""
_OLDEST = {12: (5, 0), 13: (7, 5)}
"""The oldest devices that torch's wheels for each CUDA have code for: Maxwell, Turing."""


@lru_cache(maxsize=1)
def torch_cuda() -> int | None:
    """The CUDA that the installed torch is built for, without importing it; None where there is no torch, or a CUDA unknown here."""
    spec = find_spec("torch")
    file = None if spec is None or spec.origin is None else Path(spec.origin).with_name("version.py")
    built = re.search(r"^cuda\b.*?=\s*'(\d+)\.", file.read_text(), re.MULTILINE) if file and file.is_file() else None
    return int(built[1]) if built and int(built[1]) in _DRIVERS else None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def chosen(found: Sequence[Cuda], *, visible: str | None, wanted: Sequence[str]) -> list[Cuda]:
    """The devices to use: of those that CUDA_VISIBLE_DEVICES (`visible`) shows, the `wanted` ones, or all where none is wanted.

    Both name devices by UUID, the beginning of one, or index. As CUDA does, whatever follows a name that fits nothing is not
    visible; a wanted device that isn't there, and a part of a device that MIG split, raise Misconfigured.
    """
    for name in (*(visible or "").split(","), *wanted):
        if name.strip().startswith("MIG-"):
            raise Misconfigured(
                f"{name.strip()} is a part of a device split by MIG, and only whole devices are used: name one"
            )
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
    if shown[0].unusable:
        raise Misconfigured(f"the CUDA device {shown[0].name} ({shown[0].uuid}) {shown[0].unusable}")
    return Device("cuda", shown[0].uuid, f"{shown[0].name} ({shown[0].uuid})")


def _present(uuid: str) -> Cuda:
    """Asked by its UUID: a sick neighbour on the machine is nobody's business. Raises MachineryFailure."""
    try:
        with _library():
            handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = _text(pynvml.nvmlDeviceGetName(handle))
            return Cuda(uuid, pynvml.nvmlDeviceGetIndex(handle), name, int(memory.total), int(memory.free))
    except pynvml.NVMLError as error:
        raise MachineryFailure(f"the CUDA device {uuid} does not answer: {error}; look at the kernel's log") from None


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
