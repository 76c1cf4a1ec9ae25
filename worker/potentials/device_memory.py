"""What this process's torch holds of a CUDA device, for those who must not import torch: nothing before anything was loaded."""

from __future__ import annotations

import sys
from typing import Any


def _cuda() -> Any:
    """torch.cuda where this process has a context; None where it hasn't."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def unused_bytes() -> int:
    """Kept by torch's allocator for later, bytes: the driver counts it as taken, and it is free for our next member."""
    cuda = _cuda()
    return 0 if cuda is None else int(cuda.memory_reserved() - cuda.memory_allocated())


def allocated_bytes() -> int:
    """In use by this process's tensors, bytes."""
    cuda = _cuda()
    return 0 if cuda is None else int(cuda.memory_allocated())


def most_bytes() -> int:
    """The most that was in use since `release`, bytes."""
    cuda = _cuda()
    return 0 if cuda is None else int(cuda.max_memory_allocated())


def release() -> None:
    """Give what is unused back to the device, and begin to count the most anew."""
    cuda = _cuda()
    if cuda is not None:
        cuda.empty_cache()
        cuda.reset_peak_memory_stats()
