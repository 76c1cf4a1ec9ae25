"""Fingerprints against pymatgen's space-group operations and hand-built sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from services.geometry.similarity import fingerprint, representatives, same
from shared.errors import InvalidInput
from shared.parameters import Similarity
from shared.structures import Structure

TOLERANCES = Similarity()
HEIGHTS = {"ontop": 1.85, "bridge": 1.45, "fcc": 1.3, "hcp": 1.3}


@dataclass(frozen=True)
class Known:
    structure: Structure
    energy: float


def platinum(size: int) -> Atoms:
    return fcc111("Pt", (size, size, 4), vacuum=8.0, a=3.92, periodic=True)


def adslab(
    size: int = 2, site: str = "fcc", molecule: Atoms | None = None, shift: tuple[int, int] = (0, 0)
) -> Structure:
    atoms = platinum(size)
    molecule = molecule if molecule is not None else Atoms("CO", [[0, 0, 0], [0, 0, 1.17]])
    add_adsorbate(atoms, molecule, HEIGHTS[site], site, offset=shift)
    return structure_of(atoms, len(molecule))


def structure_of(atoms: Atoms, n_adsorbate: int) -> Structure:
    adsorbate = np.arange(len(atoms)) >= len(atoms) - n_adsorbate
    top = atoms.positions[~adsorbate, 2].max()
    return Structure.from_atoms(atoms, adsorbate=adsorbate, surface=~adsorbate & (atoms.positions[:, 2] > top - 0.5))


def difference(a: Structure, b: Structure) -> float:
    return float(np.abs(fingerprint(a) - fingerprint(b)).max())


def tilted_methyl() -> Atoms:
    positions = [[0, 0, 0], [1.0, 0.1, 0.4], [-0.6, 0.8, 0.35], [-0.5, -0.9, 0.3]]
    return Atoms("CH3", positions)


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING")  # between pymatgen and spglib
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("site", ["fcc", "bridge"])
def test_every_space_group_image_is_the_same(size: int, site: str) -> None:
    start = adslab(size, site, tilted_methyl())
    slab = platinum(size)
    operations = SpacegroupAnalyzer(AseAtomsAdaptor.get_structure(slab)).get_symmetry_operations(cartesian=False)
    # a slab of ABCA stacking also has inversion-like operations, which carry the molecule to the other face
    assert len(operations) >= 6 * size**2
    fractional = np.linalg.solve(slab.cell.array.T, start.positions[-4:].T).T
    for operation in operations:
        image = slab + Atoms("CH3", operation.operate_multi(fractional) @ slab.cell.array)
        assert difference(start, structure_of(image, 4)) < 1e-4


def test_lattice_translations_and_wrapping_change_nothing() -> None:
    start = adslab(2, "fcc", tilted_methyl())
    rng = np.random.default_rng(3)
    shifts = rng.integers(-2, 3, size=(len(start), 3)) @ start.cell
    assert difference(start, start.moved(start.positions + shifts)) < 1e-10
    assert difference(start, start.moved(start.positions + np.array([0.4, -1.7, 2.2]))) < 1e-10
    assert difference(start, adslab(2, "fcc", tilted_methyl(), shift=(1, 0))) < 1e-10


def test_like_atoms_may_change_places() -> None:
    start = adslab(2, "fcc", tilted_methyl())
    order = [*np.random.default_rng(1).permutation(16), 16, 18, 19, 17]
    assert difference(start, start.moved(start.positions[order])) < 1e-10


@pytest.mark.parametrize("size", [1, 2, 3])
def test_sites_are_told_apart(size: int) -> None:
    structures = [adslab(size, site) for site in HEIGHTS]
    assert representatives(structures, [0.0] * 4, TOLERANCES) == [0, 1, 2, 3]
    assert difference(structures[2], structures[3]) > 0.4


def test_second_layer_alone_tells_hollows_apart_for_hydrogen() -> None:
    assert difference(adslab(2, "fcc", Atoms("H")), adslab(2, "hcp", Atoms("H"))) > 2 * TOLERANCES.distance


def test_up_and_down_differ() -> None:
    down = adslab(2, "fcc", Atoms("OC", [[0, 0, 0], [0, 0, 1.17]]))
    swapped = down.only(np.array([*range(16), 17, 16]) >= 0)
    assert not same(Known(adslab(), 0.0), Known(swapped, 0.0), TOLERANCES)


def test_relaxation_noise_is_tolerated() -> None:
    start = adslab(3, "fcc", tilted_methyl())
    rng = np.random.default_rng(0)
    for _ in range(20):
        moves = rng.normal(size=(len(start), 3))
        moves *= 0.05 / np.linalg.norm(moves, axis=1, keepdims=True)
        noisy = start.moved(start.positions + moves)
        assert difference(start, noisy) <= 0.1 + 1e-12
        assert same(Known(start, 0.0), Known(noisy, 0.01), TOLERANCES)


def test_energy_and_composition_count() -> None:
    start = adslab()
    assert same(Known(start, 0.0), Known(start, 0.02), TOLERANCES)
    assert not same(Known(start, 0.0), Known(start, 0.021), TOLERANCES)
    assert not same(Known(start, 0.0), Known(adslab(3), 0.0), TOLERANCES)
    with pytest.raises(InvalidInput, match="composition"):
        representatives([start, adslab(3)], [0.0, 0.0], TOLERANCES)


def test_representatives_point_at_representatives() -> None:
    structures = [adslab(2, "fcc"), adslab(2, "hcp"), adslab(2, "fcc", shift=(1, 1)), adslab(2, "hcp", shift=(0, 1))]
    assert representatives(structures, [0.0, 0.0, 0.015, 0.0], TOLERANCES) == [0, 1, 0, 1]
    assert representatives([structures[0]] * 3, [0.0, 0.015, 0.03], TOLERANCES) == [0, 0, 2]
    assert representatives([], [], TOLERANCES) == []
