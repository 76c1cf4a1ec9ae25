"""CHGNet's graphs: the package's own to the last index, and a batch in one piece that answers as its structures do alone."""

from importlib import import_module

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal

from benchmarks.timed import slab_with_co
from shared.structures import Structure
from tests.worker.potentials.systems import twenty
from worker.potentials import registry
from worker.potentials.inputs import wrapped

pytestmark = pytest.mark.potentials
torch = import_module("torch")
graphs = import_module("worker.potentials.chgnet_graphs")
FIELDS = (
    "atomic_number",
    "atom_frac_coord",
    "atom_graph",
    "neighbor_image",
    "directed2undirected",
    "undirected2directed",
    "bond_graph",
    "lattice",
)


def plain(atoms):
    return Structure.from_atoms(atoms, adsorbate=[False] * len(atoms), surface=[False] * len(atoms))


STRUCTURES = [
    *twenty(),
    slab_with_co(),
    plain(bulk("Cu")),  # one atom, whose neighbours are its own images
    plain(bulk("Pt", cubic=True)),  # ideal: all distances are ties
    plain(molecule("CO", cell=[15.0] * 3, pbc=True)),
    plain(molecule("H2O", cell=[15.0] * 3, pbc=[True, True, False])),
    plain(Atoms("O", [[7.0, 7.0, 7.0]], cell=[15.0] * 3, pbc=True)),  # no bond
    plain(Atoms("H2", [[0.0, 0.0, 0.0], [4.5, 0.0, 0.0]], cell=[12.0] * 3, pbc=True)),  # bonds, and no angle
]


@pytest.fixture(scope="module")
def potential():
    return registry.load("chgnet-0.3.0")


def test_graphs_are_the_packages(potential):
    forward = potential._forward
    for structure in STRUCTURES:
        atoms = wrapped(structure)
        lattice = Lattice(structure.cell, pbc=tuple(map(bool, structure.pbc)))
        theirs = forward.model.graph_converter(
            Crystal(lattice, atoms.numbers, atoms.positions, coords_are_cartesian=True)
        )
        ours = graphs.package_graph(forward.prepare([structure])[0], *forward._cutoffs())
        for field in FIELDS:
            one, other = getattr(ours, field).detach(), getattr(theirs, field).detach()
            assert one.numel() == other.numel() == 0 or torch.equal(one, other), field


def test_an_edge_whose_reverse_is_cut_off_by_rounding_is_dropped():
    """The package writes a file into the working directory and gives up."""
    kept = graphs._mutual(
        np.array([0, 0, 1]),
        np.array([1, 2, 0]),
        np.zeros((3, 3)),
        np.array([2.0, 6.0, 2.0]),
    )
    assert [part.tolist() for part in kept[:2]] == [[0, 1], [1, 0]]
    assert kept[-1].tolist() == [1, 0]


def test_a_batch_in_one_piece_answers_as_its_structures_do_alone(potential):
    together = import_module("worker.potentials.forwards").TorchPotential(
        potential.card, potential._forward, device="cuda"
    )
    for batch in (STRUCTURES, STRUCTURES[-2:], [STRUCTURES[-1], STRUCTURES[-2]]):
        for alone, other in zip(potential.evaluate(batch), together.evaluate(batch), strict=True):
            assert other.energy == pytest.approx(alone.energy, abs=1e-4)
            assert np.abs(other.forces - alone.forces).max() < 1e-3
