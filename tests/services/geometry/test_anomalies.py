"""Each label on a geometry built by hand to deserve it, and none on sound ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.constraints import FixAtoms
from fairchem.data.oc.utils import DetectTrajAnomaly

from services.geometry.anomalies import find
from shared.errors import InvalidInput
from shared.structures import Structure

HEIGHT = 1.3


def co_on_platinum(size: int = 2) -> Structure:
    atoms = fcc111("Pt", (size, size, 4), vacuum=7.0, a=3.92, periodic=True)
    layers = atoms.get_tags()  # ASE counts layers from the top
    add_adsorbate(atoms, Atoms("CO", [[0, 0, 0], [0, 0, 1.17]]), HEIGHT, "fcc")
    atoms.set_constraint(FixAtoms(mask=np.concatenate([layers > 2, [False, False]])))
    n_slab = len(layers)
    return Structure.from_atoms(
        atoms, adsorbate=np.arange(len(atoms)) >= n_slab, surface=np.concatenate([layers == 1, [False, False]])
    )


def labels(start: Structure, positions: np.ndarray) -> tuple[str, ...]:
    return find(start, start.moved(positions), start.only(start.slab))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_small_moves_are_no_anomaly(size: int) -> None:
    start = co_on_platinum(size)
    noise = np.random.default_rng(0).normal(scale=0.03, size=start.positions.shape)
    assert labels(start, start.positions) == ()
    assert labels(start, start.positions + noise * start.free[:, None]) == ()


def test_dissociated() -> None:
    start = co_on_platinum(3)
    moved = start.positions.copy()
    # the oxygen goes to the next fcc hollow
    moved[-1] = moved[-2] + start.cell[0] / 3
    assert labels(start, moved) == ("dissociated",)


def test_a_new_bond_in_the_adsorbate_is_no_longer_the_same_molecule() -> None:
    start = co_on_platinum(3)
    apart = start.positions.copy()
    apart[-1] = apart[-2] + start.cell[0] / 3
    assert find(start.moved(apart), start, start.only(start.slab)) == ("dissociated",)


@pytest.mark.parametrize("size", [2, 3])
def test_desorbed(size: int) -> None:
    start = co_on_platinum(size)
    away = start.positions + np.where(start.adsorbate, 4.5, 0.0)[:, None] * start.normal
    assert labels(start, away) == ("desorbed",)


def test_intercalated() -> None:
    start = co_on_platinum(3)
    inside = start.positions.copy()
    # between the second and the third layer, straight above a third-layer atom
    depth = 2.5 * 3.92 / np.sqrt(3) + HEIGHT - 0.4
    inside[start.adsorbate] -= depth * start.normal
    assert "intercalated" in labels(start, inside)
    assert "desorbed" not in labels(start, inside)


def test_reconstructed() -> None:
    start = co_on_platinum(3)
    lifted = start.positions.copy()
    top = np.flatnonzero(start.surface)[0]
    lifted[top] += 3.5 * start.normal
    assert labels(start, lifted) == ("reconstructed",)


@pytest.mark.parametrize(("apart", "expected"), [(0.98, ("overlapping",)), (1.06, ("overlapping",)), (1.15, ())])
def test_an_atom_nearer_than_in_any_bond_overlaps(apart: float, expected: tuple[str, ...]) -> None:
    """The hydrogen of small networks that never saw one at 1 Å from a metal atom. 0.65 of the radii of Pt and H are 1.09 Å."""
    atoms = fcc111("Pt", (3, 3, 4), vacuum=7.0, a=3.92, periodic=True)
    layers = atoms.get_tags()
    add_adsorbate(atoms, "H", 1.55, "ontop")
    on_top = np.arange(len(atoms)) >= len(layers)
    start = Structure.from_atoms(atoms, adsorbate=on_top, surface=np.concatenate([layers == 1, [False]]))
    moved = start.positions.copy()
    moved[-1] += (apart - 1.55) * start.normal
    assert labels(start, start.positions) == ()
    assert labels(start, moved) == expected
    assert labels(start, moved + start.cell[0]) == expected  # as the periodic image


def test_atoms_of_the_molecule_overlap() -> None:
    start = co_on_platinum(3)
    moved = start.positions.copy()
    moved[-1] = moved[-2] + 0.9 * start.normal  # 1.42 Å are the radii of C and O
    assert labels(start, moved) == ("overlapping",)


def test_atoms_of_the_slab_overlap_unless_they_did_when_clean() -> None:
    start = co_on_platinum(3)
    moved = start.positions.copy()
    one, other = np.flatnonzero(start.surface)[:2]
    moved[one] += 0.4 * (moved[other] - moved[one])  # 1.66 of 2.77 Å; 0.65 of the radii are 1.77
    assert "overlapping" in labels(start, moved)
    both = start.moved(moved)
    assert "overlapping" not in find(both, both, both.only(both.slab))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_molecule_at_the_next_image_s_bottom_has_desorbed(wrapped: bool) -> None:
    start = co_on_platinum(2)
    across = start.positions.copy()
    bottom = start.positions[start.slab] @ start.normal
    # C points up at the image's bottom layer, 1.9 Å below it
    target = float(bottom.min()) + start.cell[2] @ start.normal - 1.9
    bottom_atom = int(np.flatnonzero(start.slab)[bottom.argmin()])
    across[-2] = start.positions[bottom_atom]
    across[-2] += (target - across[-2] @ start.normal) * start.normal
    # straight below the image of that atom, whatever way the cell leans
    lean = start.cell[2] - (start.cell[2] @ start.normal) * start.normal
    across[-2:] = across[-2] + lean
    across[-1] -= 1.17 * start.normal
    if wrapped:
        across[start.adsorbate] -= start.cell[2]
    relaxed = start.moved(across)
    detector = DetectTrajAnomaly(start.to_atoms(), relaxed.to_atoms(), start.tags.tolist())
    assert detector.is_adsorbate_intercalated()
    assert not detector.is_adsorbate_desorbed()
    assert labels(start, across) == ("desorbed",)


def crowded_benzene(scale: float = 1.0, angle: float = 30.0) -> Structure:
    """Benzene lying on p(2x2), two of its hydrogen atoms 0.6 Å from an image of it; scale: of its size."""
    atoms = fcc111("Pt", (2, 2, 4), vacuum=7.0, a=3.92, periodic=True)
    layers = atoms.get_tags()
    benzene = molecule("C6H6")
    benzene.positions *= scale
    benzene.rotate(angle, "z")
    add_adsorbate(atoms, benzene, 2.2, "fcc")
    on_top = np.arange(len(atoms)) >= len(layers)
    return Structure.from_atoms(atoms, adsorbate=on_top, surface=np.concatenate([layers == 1, [False] * 12]))


def test_an_intact_molecule_that_touches_its_image_is_not_dissociated() -> None:
    start, relaxed = crowded_benzene(), crowded_benzene(angle=0.0)
    detector = DetectTrajAnomaly(start.to_atoms(), relaxed.to_atoms(), start.tags.tolist())
    assert detector.is_adsorbate_dissociated()  # it loses the bond to its image
    assert labels(start, relaxed.positions) == labels(relaxed, start.positions) == ()


def test_a_bond_that_breaks_in_a_crowd_is_seen() -> None:
    start = crowded_benzene()
    moved = start.positions.copy()
    moved[-1] = moved[-7] + 2.2 * (moved[-1] - moved[-7]) / np.linalg.norm(moved[-1] - moved[-7])
    assert labels(start, moved) == ("dissociated", "overlapping")  # it comes to lie on an image of the ring


def test_a_placement_that_was_torn_holds_no_molecule() -> None:
    start = co_on_platinum(3)
    torn = start.positions.copy()
    torn[-1] = torn[-2] + start.cell[0] / 3
    assert find(start.moved(torn), start.moved(torn), start.only(start.slab)) == ("dissociated",)


@pytest.mark.parametrize("seed", range(4))
def test_atoms_may_be_wrapped_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for start in (co_on_platinum(2), crowded_benzene(0.9)):
        wraps = rng.integers(-1, 2, (len(start), 3)) * [1, 1, 0] @ start.cell
        assert labels(start, start.positions + wraps) == ()
        wrapped = start.moved(start.positions + wraps)
        assert labels(wrapped, start.positions) == ()


def test_fixed_atoms_are_judged_like_any_other() -> None:
    start = co_on_platinum(2)
    free = replace(start, fixed=np.zeros(len(start), dtype=bool))
    for positions in (start.positions, start.positions + np.where(start.adsorbate, 4.5, 0.0)[:, None] * start.normal):
        assert labels(start, positions) == labels(free, positions)


def test_other_atoms_are_refused() -> None:
    start = co_on_platinum(2)
    with pytest.raises(InvalidInput, match="clean slab"):
        find(start, start, co_on_platinum(3).only(co_on_platinum(3).slab))
    with pytest.raises(InvalidInput, match="differ"):
        find(start, replace(start, numbers=start.numbers[::-1]), start.only(start.slab))
