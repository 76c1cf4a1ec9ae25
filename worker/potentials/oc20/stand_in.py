"""torch_scatter and torch_sparse as far as fairchem-core 1.x uses them, in plain torch, where the real packages are missing.

fairchem imports both and declares neither; PyPI has them as sources only, some 36 CPU-minutes to compile. Where they are installed
they are used. torch_geometric is imported first: it looks for them as well, and would take this for the real thing.
"""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

import torch
from torch import Tensor

with warnings.catch_warnings():
    # torch deprecates torch.jit.script since 2.13
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script", category=DeprecationWarning)
    from torch_geometric.utils import scatter as geometric_scatter

NAMES = ("torch_scatter", "torch_sparse")


def install() -> None:
    """Put the stand-in where `import torch_scatter` and `import torch_sparse` will find it, unless those are there."""
    if "torch_scatter" not in sys.modules and find_spec("torch_scatter") is None:
        utils = _module("torch_scatter.utils", broadcast=broadcast)
        scatters = _module(
            "torch_scatter", scatter=scatter, segment_coo=segment_coo, segment_csr=segment_csr, utils=utils
        )
        sys.modules |= {"torch_scatter": scatters, "torch_scatter.utils": utils}
    if "torch_sparse" not in sys.modules and find_spec("torch_sparse") is None:
        sys.modules["torch_sparse"] = _module("torch_sparse", SparseTensor=SparseTensor)


def _module(name: str, **contents: object) -> ModuleType:
    module = ModuleType(name, "Adhop's stand-in in plain torch.")
    module.__dict__.update(contents)
    return module


def broadcast(index: Tensor, other: Tensor, dim: int) -> Tensor:
    """A flat index [n], repeated to the shape of `other`, whose dimension `dim` has n entries."""
    dim = dim % other.dim()
    return index.view([-1 if axis == dim else 1 for axis in range(other.dim())]).expand_as(other)


def scatter(
    src: Tensor, index: Tensor, dim: int = -1, dim_size: int | Tensor | None = None, reduce: str = "sum"
) -> Tensor:
    """Entries of `src` along `dim` reduced at the places that `index` [n] names; places that nobody names are zero."""
    reduced: Tensor = geometric_scatter(src, index, dim, None if dim_size is None else int(dim_size), reduce)
    return reduced


def segment_coo(src: Tensor, index: Tensor, dim_size: int | Tensor | None = None, reduce: str = "sum") -> Tensor:
    """`scatter` along the first dimension; fairchem hands over sorted indices, and nothing here relies on it."""
    return scatter(src, index, 0, dim_size, reduce)


def segment_csr(src: Tensor, indptr: Tensor, reduce: str = "sum") -> Tensor:
    """Rows indptr[i] to indptr[i + 1] of `src` reduced to row i."""
    lengths = indptr.diff()
    index = torch.repeat_interleave(torch.arange(len(lengths), device=src.device), lengths)
    return scatter(src[int(indptr[0]) : int(indptr[-1])], index, 0, len(lengths), reduce)


@dataclass
class _Storage:
    """Coordinates sorted by row, then column."""

    _row: Tensor
    _col: Tensor
    _value: Tensor

    def row(self) -> Tensor:
        return self._row

    def col(self) -> Tensor:
        return self._col

    def value(self) -> Tensor:
        return self._value


class SparseTensor:
    """A sparse matrix that may hold one place many times, as periodic neighbours need it; such entries keep their order."""

    def __init__(self, row: Tensor, col: Tensor, value: Tensor, sparse_sizes: tuple[int, int]) -> None:
        self._sizes = (int(sparse_sizes[0]), int(sparse_sizes[1]))
        order = torch.argsort(row * self._sizes[1] + col, stable=True)
        self.storage = _Storage(row[order], col[order], value[order])

    def sparse_sizes(self) -> tuple[int, int]:
        return self._sizes

    def coo(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, columns and values."""
        return self.storage.row(), self.storage.col(), self.storage.value()

    def set_value_(self, value: Tensor, layout: str) -> SparseTensor:
        """Other values for the same places, in their stored order."""
        if layout != "coo":
            raise NotImplementedError(f"layout {layout!r}")
        self.storage = _Storage(self.storage.row(), self.storage.col(), value)
        return self

    def __getitem__(self, rows: Tensor) -> SparseTensor:
        """The rows that are named, in that order, as often as they are named."""
        row, col, value = self.coo()
        counts = torch.bincount(row, minlength=self._sizes[0])
        starts = counts.cumsum(0) - counts
        taken = counts[rows]
        new_row = torch.repeat_interleave(torch.arange(len(rows), device=row.device), taken)
        within = torch.arange(len(new_row), device=row.device) - (taken.cumsum(0) - taken)[new_row]
        entries = starts[rows][new_row] + within
        return SparseTensor(new_row, col[entries], value[entries], (len(rows), self._sizes[1]))
