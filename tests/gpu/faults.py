"""`python -m tests.gpu.faults NAME`: bring one fault of a device about, in a process of its own, and print as JSON what torch raised
and what we make of it. On a CPU, for a rehearsal, what fails is the host's memory.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable

import torch

from worker.potentials import faults
from worker.potentials.forwards import give_back_memory

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def much(n: int, device: str) -> torch.Tensor:
    """For TorchScript, which wants its source in a file."""
    return torch.ones(n, device=device)


def eager() -> None:
    """More than any card has."""
    much(2**46, DEVICE)


def scripted() -> None:
    """The same inside TorchScript, as in MACE."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(much)
    made(2**46, DEVICE)


def limited() -> None:
    """A share of the card that is taken up, as by a batch too large."""
    if DEVICE == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(2**28 / total)
    held = [much(2**24, DEVICE) for _ in range(64 if DEVICE == "cuda" else 1)]
    much(2**46, DEVICE)
    del held


def handle() -> None:
    """cuBLAS without room for its handle and workspace."""
    if DEVICE == "cuda":
        free, _ = torch.cuda.mem_get_info()
        held = [torch.empty(max(0, free - 2**21), dtype=torch.uint8, device=DEVICE)]
        torch.cuda.synchronize()
        one = held[0][: 64 * 64 * 4].view(torch.float32).view(64, 64)
        one @ one
    much(2**46, DEVICE)


def asserted() -> None:
    """An index outside its table: a device-side assert, which stays."""
    table = torch.arange(4.0, device=DEVICE)
    table[torch.tensor([9], device=DEVICE)].cpu()


def after_assert() -> None:
    """What the next operation of that process meets."""
    try:
        asserted()
    except (RuntimeError, IndexError):
        give_back_memory()
        much(8, DEVICE).cpu()


PROBES: dict[str, Callable[[], None]] = {
    probe.__name__: probe for probe in (eager, scripted, limited, handle, asserted, after_assert)
}


def main() -> None:
    """Entry point."""
    told: dict[str, str | None] = {"raised": None, "text": None, "ours": None, "reason": None}
    try:
        PROBES[sys.argv[1]]()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was to be seen
        failure = faults.failure_of(error)
        told = {
            "raised": type(error).__name__,
            "text": str(error)[:800],
            "ours": type(failure).__name__ if failure else None,
            "reason": str(failure) if failure else None,
        }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    sys.stdout.close()


if __name__ == "__main__":
    main()
