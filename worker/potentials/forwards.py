"""How potentials on torch run: one thread a process, one structure a forward on a CPU, batches on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from services.forces.potential import Card, Evaluation
from shared.errors import DeviceFault, OutOfMemory
from shared.structures import Structure
from worker.potentials.inputs import refuse_unknown_elements

Forward = Callable[[Sequence[Structure]], list[Evaluation]]


class TorchPotential:
    """A network on torch behind the protocol of potentials."""

    def __init__(self, card: Card, forward: Forward, *, device: str) -> None:
        # Several worker processes share the cores: threads of one would only wait for those of another.
        torch.set_num_threads(1)
        self.card = card
        self._forward = forward
        self._device = device

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """One evaluation per structure, in order.

        On a CPU each structure is a forward of its own, so the answer is the same to the last bit whoever shares the
        call; batching gains nothing there. Raises InvalidInput for an element that it doesn't know, OutOfMemory when the
        batch doesn't fit the device, and DeviceFault when the device is beyond use for this process.
        """
        refuse_unknown_elements(self.card, structures)
        if self._device == "cpu":
            return [evaluation for structure in structures for evaluation in self._forward([structure])]
        return _within_memory(self._forward, structures) if structures else []


def _within_memory(forward: Forward, structures: Sequence[Structure]) -> list[Evaluation]:
    try:
        return forward(structures)
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error)
    except RuntimeError as error:
        if sticky(error):
            raise DeviceFault(str(error).splitlines()[0]) from None
        raise
    # Out of the handler: inside it the traceback still holds the tensors that filled the device.
    torch.cuda.empty_cache()
    raise OutOfMemory(reason)


def sticky(error: RuntimeError) -> bool:
    """Whether the device will answer nothing else for the rest of this process: every error that CUDA reports asynchronously, but for
    want of memory."""
    return isinstance(error, torch.AcceleratorError) or "CUDA error:" in str(error)
