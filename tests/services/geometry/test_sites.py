"""Names of sites on ASE's own builders, whose sites are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bcc110, fcc100, fcc111, hcp0001

from services.geometry.sites import describe
from shared.structures import Structure

CO = Atoms("CO", [[0, 0, 0], [0, 0, 1.17]])


def adslab(slab: Atoms, molecule: Atoms, height: float, site: str | tuple[float, float]) -> Structure:
    atoms = slab.copy()
    atoms.pbc = True
    add_adsorbate(atoms, molecule, height, site)
    adsorbate = np.arange(len(atoms)) >= len(slab)
    return Structure.from_atoms(atoms, adsorbate=adsorbate, surface=np.zeros(len(atoms), dtype=bool))


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize(
    ("site", "height", "name"),
    [
        ("ontop", 1.85, "top via C"),
        ("bridge", 1.5, "bridge via C"),
        ("fcc", 1.3, "fcc hollow via C"),
        ("hcp", 1.3, "hcp hollow via C"),
    ],
)
def test_sites_of_platinum_111(size: int, site: str, height: float, name: str) -> None:
    start = adslab(fcc111("Pt", (size, size, 4), vacuum=8.0, a=3.92), CO, height, site)
    assert describe(start) == name
    # where the slab stands in the cell doesn't matter
    shifts = np.random.default_rng(0).integers(-1, 2, (len(start), 3)) @ start.cell
    assert describe(start.moved(start.positions + shifts)) == name


def test_the_other_end_binds() -> None:
    flipped = Atoms("OC", [[0, 0, 0], [0, 0, 1.17]])
    assert describe(adslab(fcc111("Pt", (2, 2, 4), vacuum=8.0), flipped, 1.3, "fcc")) == "fcc hollow via O"


@pytest.mark.parametrize(("site", "name"), [("fcc", "fcc hollow via O"), ("hcp", "hcp hollow via O")])
def test_stacking_on_hcp_metal(site: str, name: str) -> None:
    assert describe(adslab(hcp0001("Ru", (2, 2, 4), vacuum=8.0), Atoms("O"), 1.2, site)) == name


def test_stacking_is_not_claimed_where_it_can_not_be_told() -> None:
    assert describe(adslab(fcc111("Pt", (2, 2, 1), vacuum=8.0), CO, 1.3, "fcc")) == "hollow via C"
    assert describe(adslab(bcc110("Fe", (2, 2, 4), vacuum=8.0), Atoms("O"), 1.1, "hollow")) == "hollow via O"


def test_fourfold_hollow() -> None:
    assert describe(adslab(fcc100("Cu", (2, 2, 4), vacuum=8.0), Atoms("O"), 0.8, "hollow")) == "fourfold hollow via O"


def test_two_atoms_that_bind() -> None:
    slab = fcc111("Pt", (3, 3, 4), vacuum=8.0, a=3.92)
    apart = slab.cell.lengths()[0] / 3
    flat = Atoms("CC", [[0, 0, 0], [apart, 0, 0]])
    assert describe(adslab(slab, flat, 2.05, "ontop")) == "top via C, C"
    formyl = Atoms("CO", [[0, 0, 0], [apart, 0, 0.1]])
    assert describe(adslab(slab, formyl, 2.0, "ontop")) == "top via C, O"


def test_nothing_touches() -> None:
    slab = fcc111("Pt", (2, 2, 4), vacuum=8.0)
    assert describe(adslab(slab, CO, 4.0, "fcc")) == "unbound"
    start = adslab(slab, CO, 1.3, "fcc")
    assert describe(start.only(start.slab)) == "unbound"
    assert describe(start.only(start.adsorbate)) == "unbound"
    assert describe(start.moved(np.full((len(start), 3), np.nan))) == "unbound"
