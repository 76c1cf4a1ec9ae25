"""The stand-in for torch_scatter and torch_sparse, against hand-worked cases, dense matrices and torch_geometric."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

pytestmark = pytest.mark.potentials
torch = import_module("torch")
stand_in = import_module("worker.potentials.oc20.stand_in")

ROOT = Path(__file__).resolve().parents[4]


def test_scatter_by_hand():
    src = torch.tensor([1.0, 2.0, 4.0, 8.0])
    index = torch.tensor([0, 2, 0, 2])
    assert stand_in.scatter(src, index, dim_size=4).tolist() == [5.0, 0.0, 10.0, 0.0]
    assert stand_in.scatter(src, index, dim_size=torch.tensor(3), reduce="mean").tolist() == [2.5, 0.0, 5.0]
    assert stand_in.scatter(src, index, reduce="max").tolist() == [4.0, 0.0, 8.0]


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("reduce", ["sum", "add", "mean", "min", "max"])
def test_scatter_is_torch_geometrics(dim, reduce):
    utils = import_module("torch_geometric.utils")
    generator = torch.Generator().manual_seed(0)
    src = torch.randn(7, 5, 6, generator=generator)
    index = torch.randint(0, 4, (src.shape[dim],), generator=generator)
    ours = stand_in.scatter(src, index, dim=dim, dim_size=5, reduce=reduce)
    assert torch.equal(ours, utils.scatter(src, index, dim=dim, dim_size=5, reduce=reduce))


def test_segments_by_hand():
    src = torch.tensor([[1, 10], [2, 20], [4, 40], [8, 80]])
    assert stand_in.segment_coo(src, torch.tensor([0, 0, 1, 3]), dim_size=5).tolist() == [
        [3, 30],
        [4, 40],
        [0, 0],
        [8, 80],
        [0, 0],
    ]
    assert stand_in.segment_csr(src, torch.tensor([0, 2, 2, 4])).tolist() == [[3, 30], [0, 0], [12, 120]]
    assert stand_in.segment_csr(src, torch.tensor([1, 3])).tolist() == [[6, 60]]
    ones = src.new_ones(1).expand_as(src[:, 0])
    assert stand_in.segment_coo(ones, torch.tensor([0, 0, 1, 3]), dim_size=4).tolist() == [2, 1, 0, 1]


def test_broadcast_repeats_an_index_along_the_other_dimensions():
    index = torch.tensor([3, 5])
    assert stand_in.broadcast(index, torch.zeros(2, 3), 0).tolist() == [[3, 3, 3], [5, 5, 5]]
    assert stand_in.broadcast(index, torch.zeros(3, 2), -1).tolist() == [[3, 5], [3, 5], [3, 5]]


def test_a_sparse_matrix_by_hand():
    """Periodic neighbours name one place twice, and the values of both stay, in their order."""
    matrix = stand_in.SparseTensor(
        row=torch.tensor([2, 0, 2, 0, 0]),
        col=torch.tensor([1, 1, 0, 0, 1]),
        value=torch.tensor([10, 11, 12, 13, 14]),
        sparse_sizes=(3, 2),
    )
    row, col, value = matrix.coo()
    assert (row.tolist(), col.tolist(), value.tolist()) == ([0, 0, 0, 2, 2], [0, 1, 1, 0, 1], [13, 11, 14, 12, 10])
    taken = matrix[torch.tensor([2, 1, 0, 2])]
    assert taken.sparse_sizes() == (4, 2)
    assert taken.storage.row().tolist() == [0, 0, 2, 2, 2, 3, 3]
    assert taken.storage.col().tolist() == [0, 1, 0, 1, 1, 0, 1]
    assert taken.storage.value().tolist() == [12, 10, 13, 11, 14, 12, 10]
    assert matrix.set_value_(torch.arange(5), layout="coo").storage.value().tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(NotImplementedError, match="csc"):
        matrix.set_value_(torch.arange(5), layout="csc")


def test_rows_of_a_sparse_matrix_are_those_of_the_dense_one():
    generator = torch.Generator().manual_seed(1)
    row, col = (torch.randint(0, 6, (40,), generator=generator) for _ in range(2))
    value = torch.arange(1.0, 41.0)
    dense = torch.zeros(6, 6).index_put_((row, col), value, accumulate=True)
    rows = torch.tensor([5, 0, 0, 3, 1])
    taken_row, taken_col, taken_value = stand_in.SparseTensor(row, col, value, (6, 6))[rows].coo()
    taken = torch.zeros(5, 6).index_put_((taken_row, taken_col), taken_value, accumulate=True)
    assert torch.equal(taken, dense[rows])


@pytest.mark.parametrize("there", [False, True])
def test_it_steps_aside_where_the_real_packages_are(tmp_path, there):
    if there:
        for name in ("torch_scatter", "torch_sparse"):
            (tmp_path / f"{name}.py").write_text("real = True\n")
    # after torch_geometric, which would look for more in them than these have
    script = (
        "import torch_geometric\n"
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from worker.potentials.oc20 import stand_in; stand_in.install(); stand_in.install()\n"
        "import torch_scatter, torch_sparse\n"
        "print(hasattr(torch_scatter, 'real'), hasattr(torch_sparse, 'real'))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    assert finished.stdout.split() == [str(there), str(there)]
