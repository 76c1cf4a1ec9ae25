"""How potentials on torch run: one thread a process, one structure a forward on a CPU, batches on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import torch

from services.forces.potential import Card, Evaluation
from shared.errors import Misconfigured, OutOfMemory
from shared.structures import Structure
from worker.potentials import faults
from worker.potentials.inputs import refuse_unknown_elements

Forward = Callable[[Sequence[Structure]], list[Evaluation]]


class TorchPotential:
    """A network on torch behind the protocol of potentials. tf32: float32 products may round to ten bits on the GPU."""

    def __init__(self, card: Card, forward: Forward, *, device: str, tf32: bool = False) -> None:
        # Several worker processes share the cores: threads of one would only wait for those of another.
        torch.set_num_threads(1)
        self.card = card
        self._forward = forward
        self._device = device
        self._tf32 = tf32

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """One evaluation per structure, in order.

        On a CPU each structure is a forward of its own, so the answer is the same to the last bit whoever shares the
        call; batching gains nothing there. Raises InvalidInput for an element that it doesn't know, OutOfMemory when the
        batch doesn't fit the device, and DeviceFault when the device is beyond use for this process.
        """
        refuse_unknown_elements(self.card, structures)
        if self._device == "cpu":
            return [one for structure in structures for one in self._within_memory([structure])]
        return self._within_memory(structures) if structures else []

    def _within_memory(self, structures: Sequence[Structure]) -> list[Evaluation]:
        try:
            with faults.translated(), _products(tf32=self._tf32):
                return self._forward(structures)
        except OutOfMemory as error:
            reason = str(error)
        with faults.translated():
            give_back_memory()
        raise OutOfMemory(reason)


def hosted(card: Card, forward: Forward, model: torch.nn.Module, *, device: str, tf32: bool = False) -> TorchPotential:
    """The potential of a network that was loaded. Raises Misconfigured where its weights lie on another kind of device than asked
    for: some packages take the CPU without a word where CUDA can't be used, and its answers would be filed under the GPU."""
    for weights in chain(model.parameters(), model.buffers()):
        if weights.device.type != device:
            raise Misconfigured(
                f"{card.name} was to be loaded on {device}, and its weights lie on {weights.device.type}: "
                f"torch {torch.__version__} (CUDA {torch.version.cuda}) can't use the device; look at the driver's version"
            )
    return TorchPotential(card, forward, device=device, tf32=tf32)


def give_back_memory() -> None:
    """What torch's allocator keeps for later goes back to the device. A device beyond use says so here."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
        torch.cuda.synchronize()


@contextmanager
def _products(*, tf32: bool) -> Iterator[None]:
    """Said outright around each forward: packages switch it for the whole process."""
    before = torch.get_float32_matmul_precision()
    wanted = "high" if tf32 else "highest"
    if before != wanted:
        torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        if before != wanted:
            torch.set_float32_matmul_precision(before)
