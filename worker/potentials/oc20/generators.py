"""Random numbers of a potential's own: drawn anew from one seed for each structure, so that nothing remembers what came before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SEED = 0
"""What each structure's draws start from."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """The global generators of python, numpy and torch are left as they were found: building a network draws its first weights."""
    # the legacy state of numpy is what others may rely on
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=()):  # loading draws on the CPU; the default touches every GPU in sight
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002


def own_devices(device: str) -> list[int]:
    """The GPU whose generator a forward on `device` draws from; the others are let alone."""
    return [torch.cuda.current_device()] if device == "cuda" else []


def drawn(counts: Sequence[int], device: torch.device) -> Tensor:
    """Uniform numbers [sum of counts, 3]: for each count the same ones, whatever the others are. Drawn on the CPU, so that every
    device gets the same."""
    generator = torch.Generator()
    parts = [torch.rand(count, 3, generator=generator.manual_seed(SEED)) for count in counts]
    return torch.cat(parts).to(device)


class Drawn(TorchFunctionMode):
    """Inside it `torch.rand_like` hands out these numbers in place of the global generator's."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self._numbers = numbers

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return self._numbers if func is torch.rand_like else func(*args, **(kwargs or {}))
