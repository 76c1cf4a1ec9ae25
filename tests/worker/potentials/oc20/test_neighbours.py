"""Neighbours of the OC20 networks: the right ones, and ties broken alike on equivalent sites of an ideal lattice."""

from importlib import import_module

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.neighborlist import neighbor_list

pytestmark = pytest.mark.potentials
torch = import_module("torch")
neighbours = import_module("worker.potentials.oc20.neighbours")


def slab_with_co(site="fcc", offset=(0, 0), shake=0.0):
    atoms = fcc111("Pt", (3, 3, 3), vacuum=7.0)
    add_adsorbate(atoms, Atoms("CO", [[0, 0, 0], [0, 0, 1.17]]), 1.4, site, offset=offset, mol_index=0)
    atoms.pbc = True
    atoms.set_tags([0] * 27 + [2] * 2)
    if shake:
        atoms.rattle(shake, seed=1)
    atoms.wrap(eps=1e-7)
    return atoms


def found(atoms, cutoff=6.0):
    return found_together([atoms], cutoff)


def found_together(several, cutoff=6.0):
    cells = np.stack([atoms.cell.array for atoms in several])
    images = neighbours.images(cells, np.stack([atoms.pbc for atoms in several]), cutoff)
    return neighbours.find(
        torch.from_numpy(np.concatenate([atoms.positions for atoms in several])),
        torch.from_numpy(cells),
        torch.from_numpy(images),
        torch.from_numpy(np.concatenate([atoms.get_tags() == 2 for atoms in several])),
        [len(atoms) for atoms in several],
        cutoff,
    )


def chosen(atoms, most, *, strict=True):
    """For each atom the vectors to the neighbours it keeps, rounded and sorted."""
    edges = found(atoms)
    kept = neighbours.nearest(
        edges.target, edges.distance**2, edges.key, most, strict=strict, n_atoms=len(atoms)
    ).numpy()
    source, target = edges.source.numpy()[kept], edges.target.numpy()[kept]
    vectors = atoms.positions[source] + edges.image.numpy()[kept] @ atoms.cell.array - atoms.positions[target]
    per_atom = [np.round(vectors[target == atom], 4) + 0.0 for atom in range(len(atoms))]
    return [tuple(sorted(map(tuple, own))) for own in per_atom]


@pytest.mark.parametrize("pbc", [True, (True, True, False), (True, False, False), False])
def test_all_neighbours_are_ases(pbc):
    atoms = slab_with_co(shake=0.1)
    atoms.pbc = pbc
    edges = found(atoms, 8.0)
    i, j, images, distances = neighbor_list("ijSd", atoms, 8.0)
    order = np.lexsort((*images.T[::-1], j, i))
    assert edges.target.tolist() == i[order].tolist()
    assert edges.source.tolist() == j[order].tolist()
    assert edges.image.numpy().astype(int).tolist() == images[order].tolist()
    np.testing.assert_allclose(edges.distance.numpy(), distances[order], atol=1e-12)


@pytest.mark.parametrize("most_pairs", [2**27, 1])
def test_a_batch_finds_what_each_structure_finds_alone(monkeypatch, most_pairs):
    """Of several sizes, cells and directions of periodicity; searched in one piece, and where memory is short one by one."""
    monkeypatch.setattr(neighbours, "MOST_PAIRS", most_pairs)
    flat, lone = slab_with_co(shake=0.1), Atoms("O", [[4.0, 4.0, 4.0]], cell=[8.0] * 3, pbc=True)
    flat.pbc = (True, True, False)
    several = [slab_with_co(), flat, lone, slab_with_co("bridge")[5:], lone]
    together, first = found_together(several), 0
    for atoms in several:
        alone = found(atoms)
        own = (together.target >= first) & (together.target < first + len(atoms))
        edges = together.only(own)
        assert torch.equal(edges.target - first, alone.target)
        assert torch.equal(edges.source - first, alone.source)
        assert torch.equal(edges.image, alone.image)
        assert torch.allclose(edges.key, alone.key, rtol=0, atol=1e-12)
        first += len(atoms)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("most", [8, 20])
def test_without_ties_the_nearest_are_fairchems(most, strict):
    utils = import_module("worker.potentials.oc20.fairchem").fairchem.core.common.utils
    atoms = slab_with_co(shake=0.1)
    edges = found(atoms)
    kept = neighbours.nearest(edges.target, edges.distance**2, edges.key, most, strict=strict, n_atoms=len(atoms))
    theirs, _ = utils.get_max_neighbors_mask(
        natoms=torch.tensor([len(atoms)]),
        index=edges.target,
        atom_distance=(edges.distance**2).float(),
        max_num_neighbors_threshold=most,
        enforce_max_strictly=strict,
    )
    assert torch.equal(kept, theirs)
    available = torch.bincount(edges.target).clamp(max=most)
    counts = torch.bincount(edges.target[kept])
    assert torch.equal(counts, available) if strict else (counts >= available).all()


@pytest.mark.parametrize("most", [8, 20, 30])
@pytest.mark.parametrize("site", ["fcc", "ontop", "bridge"])
def test_ties_are_broken_alike_wherever_in_the_lattice(most, site):
    """The molecule on each of the nine equivalent sites: atom for atom, moved along, the same neighbours."""
    here = slab_with_co(site)
    reference = sorted(chosen(here, most))
    assert any(len(set(own)) == most for own in reference)
    for offset in [(i, j) for i in range(3) for j in range(3)]:
        assert sorted(chosen(slab_with_co(site, offset), most)) == reference


def test_ties_are_broken_alike_in_any_order_of_atoms():
    atoms = slab_with_co()
    order = np.random.default_rng(0).permutation(len(atoms))
    mixed = chosen(atoms[order], 20)
    assert mixed == [chosen(atoms, 20)[index] for index in order]


def test_noise_of_rounding_does_not_change_the_choice():
    """As in a file with nine decimals: a tie there is no longer exact."""
    atoms = slab_with_co()
    noisy = atoms.copy()
    noisy.positions += np.random.default_rng(0).uniform(-5e-10, 5e-10, size=noisy.positions.shape)
    assert chosen(noisy, 20) == chosen(atoms, 20)


def test_of_equally_near_neighbours_those_next_to_the_adsorbate_are_taken():
    atoms = Atoms("H5", [[5, 5, 5], [7, 5, 5], [3, 5, 5], [5, 7, 5], [9.5, 5, 5]], cell=[30, 30, 30], pbc=True)
    atoms.set_tags([0, 0, 0, 0, 2])
    assert chosen(atoms, 1)[0] == ((2.0, 0.0, 0.0),)
    atoms.positions[4] = [5, 9.5, 5]
    assert chosen(atoms, 1)[0] == ((0.0, 2.0, 0.0),)
