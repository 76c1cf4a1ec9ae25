"""What torch and CUDA say when they fail, and which failure of ours it is.

Told by the text: errors that leave TorchScript are plain RuntimeErrors whatever was raised inside, and want of memory as an error
of torch's own, of CUDA's, or of one of its libraries. Nothing here imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import AdhopError, DeviceFault, Misconfigured, OutOfMemory

# The last two are what cuBLAS, cuDNN and cuSOLVER say where a handle finds no room.
_MEMORY = re.compile(
    r"out[ _]of[ _]memory|can't allocate memory|Unable to allocate|[A-Z]+_ALLOC_FAILED|CU[A-Z]+_STATUS_NOT_INITIALIZED",
    re.IGNORECASE,
)
_USELESS = re.compile(
    r"no kernel image is available|driver version is insufficient|NVIDIA driver on your system is too old|"
    r"Found no NVIDIA driver|No CUDA GPUs are available|no CUDA-capable device|not compiled with CUDA|CUDA unknown error|"
    r"devices are busy or unavailable|system not yet initialized"
)
_STICKY = re.compile(r"(CUDA|CUDA driver|cuDNN|cuSOLVER|cusolver|cuFFT|CUDA NVRTC) error")


def failure_of(error: BaseException) -> AdhopError | None:
    """OutOfMemory for want of memory, on a device or on the host; Misconfigured where this torch can't use the device at all;
    DeviceFault for whatever else CUDA reports, which stays for the rest of the process; None for an error of another kind."""
    text = str(error)
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return OutOfMemory(_line(text, _MEMORY) or "the host has no memory left")
    if _USELESS.search(text):
        return Misconfigured(f"this worker's torch can't use its device: {_line(text, _USELESS)}")
    if _STICKY.search(text):
        return DeviceFault(_line(text, _STICKY))
    return None


def _line(text: str, telling: re.Pattern[str]) -> str:
    """The line that tells: the first of what leaves TorchScript only names the interpreter."""
    return next((line.strip() for line in text.splitlines() if telling.search(line)), text.strip())[:500]


@contextmanager
def translated() -> Iterator[None]:
    """Errors of torch and CUDA leave as ours; all others as they are."""
    try:
        yield
    except (RuntimeError, MemoryError, AssertionError) as error:
        failure = failure_of(error)
        if failure is None:
            raise
    else:
        return
    raise failure  # out of the handler: there the traceback still holds the tensors that filled the device
