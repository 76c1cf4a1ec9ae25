"""Names of sites on ASE's own builders, whose sites are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bcc110, fcc100, fcc111, hcp0001
from ase.data import covalent_radii

from services.geometry import anomalies
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
        ("ontop", 1.85, "top Pt via C"),
        ("bridge", 1.5, "bridge Pt-Pt via C"),
        ("fcc", 1.3, "fcc hollow Pt3 via C"),
        ("hcp", 1.3, "hcp hollow Pt3 via C"),
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
    assert describe(adslab(fcc111("Pt", (2, 2, 4), vacuum=8.0), flipped, 1.3, "fcc")) == "fcc hollow Pt3 via O"


@pytest.mark.parametrize(("site", "name"), [("fcc", "fcc hollow Ru3 via O"), ("hcp", "hcp hollow Ru3 via O")])
def test_stacking_on_hcp_metal(site: str, name: str) -> None:
    assert describe(adslab(hcp0001("Ru", (2, 2, 4), vacuum=8.0), Atoms("O"), 1.2, site)) == name


def test_stacking_is_not_claimed_where_it_can_not_be_told() -> None:
    assert describe(adslab(fcc111("Pt", (2, 2, 1), vacuum=8.0), CO, 1.3, "fcc")) == "hollow Pt3 via C"
    assert describe(adslab(bcc110("Fe", (2, 2, 4), vacuum=8.0), Atoms("O"), 1.1, "hollow")) == "hollow Fe3 via O"


def test_fourfold_hollow() -> None:
    assert (
        describe(adslab(fcc100("Cu", (2, 2, 4), vacuum=8.0), Atoms("O"), 0.8, "hollow")) == "fourfold hollow Cu4 via O"
    )


def test_two_atoms_that_bind() -> None:
    slab = fcc111("Pt", (3, 3, 4), vacuum=8.0, a=3.92)
    apart = slab.cell.lengths()[0] / 3
    flat = Atoms("CC", [[0, 0, 0], [apart, 0, 0]])
    assert describe(adslab(slab, flat, 2.05, "ontop")) == "top Pt via C, C"
    formyl = Atoms("CO", [[0, 0, 0], [apart, 0, 0.1]])
    assert describe(adslab(slab, formyl, 2.0, "ontop")) == "top Pt via C, O"


def test_nothing_touches() -> None:
    slab = fcc111("Pt", (2, 2, 4), vacuum=8.0)
    assert describe(adslab(slab, CO, 4.0, "fcc")) == "unbound"
    start = adslab(slab, CO, 1.3, "fcc")
    assert describe(start.only(start.slab)) == "unbound"
    assert describe(start.only(start.adsorbate)) == "unbound"
    assert describe(start.moved(np.full((len(start), 3), np.nan))) == "unbound"


def palladium_copper() -> Atoms:
    """Rows of Pd and Cu along y: neighbours along x differ."""
    slab = fcc100("Cu", (2, 2, 4), vacuum=8.0, a=3.8)
    slab.numbers[np.round(slab.positions[:, 0] / slab.cell.lengths()[0] * 4).astype(int) % 4 >= 2] = 46
    return slab


@pytest.mark.parametrize(
    ("slab", "molecule", "height", "site", "name"),
    [
        (palladium_copper(), CO, 1.5, (1.34, 0.0), "bridge Pd-Cu via C"),
        (palladium_copper(), CO, 1.5, (0.0, 1.34), "bridge Cu-Cu via C"),
        (palladium_copper(), Atoms("O"), 0.9, (1.34, 1.34), "fourfold hollow Pd2Cu2 via O"),
        (palladium_copper(), CO, 1.9, (2.687, 0.0), "top Pd via C"),
    ],
)
def test_the_surface_atoms_of_an_alloy_are_named_the_heavier_first(slab, molecule, height, site, name) -> None:
    assert describe(adslab(slab, molecule, height, site)) == name


@pytest.mark.parametrize(("swapped", "name"), [(1, "hollow Pt2Ni"), (2, "hollow PtNi2"), (3, "hollow Ni3")])
def test_hollows_of_an_alloy_count_their_atoms(swapped: int, name: str) -> None:
    slab = fcc111("Pt", (3, 3, 4), vacuum=8.0, a=3.92)
    start = adslab(slab, CO, 1.3, "fcc")
    carbon = start.positions[len(slab)]
    apart = np.linalg.norm(start.positions[: len(slab)] - carbon, axis=1)
    slab.numbers[np.argsort(apart)[:swapped]] = 28
    assert describe(adslab(slab, CO, 1.3, "fcc")) == f"fcc {name} via C"


def test_an_oxygen_that_was_there_before_is_named() -> None:
    slab = fcc111("Pt", (2, 2, 4), vacuum=8.0, a=3.92)
    add_adsorbate(slab, Atoms("O"), 1.2, "fcc")
    above = slab.positions[-1, 2] - slab.positions[:-1, 2].max() + 1.0
    hydrogen = adslab(slab, Atoms("H"), above, tuple(slab.positions[-1, :2]))
    assert describe(hydrogen) == "top O via H"


@pytest.mark.parametrize("by", np.arange(1.6, 4.6, 0.1).round(2))
def test_a_molecule_is_unbound_where_the_anomaly_detector_says_desorbed(by: float) -> None:
    slab = fcc111("Pt", (2, 2, 4), vacuum=10.0, a=3.92)
    start = adslab(slab, CO, by, "ontop")
    clean = start.only(start.slab)
    desorbed = "desorbed" in anomalies.find(start, start, clean)
    name = describe(start)
    assert (name == "unbound") == desorbed
    contact = covalent_radii[78] + covalent_radii[6]
    if by < 1.25 * contact:
        assert name == "top Pt via C"
    elif not desorbed:
        assert name == f"physisorbed, {by:.1f} Å above Pt"


def test_physisorption_is_told_by_the_nearest_atom_and_its_height() -> None:
    slab = fcc111("Pt", (2, 2, 4), vacuum=10.0, a=3.92)
    assert describe(adslab(slab, CO, 3.2, "ontop")) == "physisorbed, 3.2 Å above Pt"
    # the nearest atom is 3.2 Å away, sideways in part
    assert describe(adslab(slab, CO, 2.8, "bridge")) == "physisorbed, 2.8 Å above Pt"
    # a methane's hydrogen is nearest, its carbon higher
    methane = Atoms("HCH3", [[0, 0, 0], [0, 0, 1.09], [1.03, 0, 1.45], [-0.5, 0.9, 1.45], [-0.5, -0.9, 1.45]])
    assert describe(adslab(slab, methane, 2.6, "ontop")) == "physisorbed, 2.6 Å above Pt"


def test_what_left_across_the_vacuum_is_unbound() -> None:
    slab = fcc111("Pt", (2, 2, 3), vacuum=5.0, a=3.92)
    start = adslab(slab, Atoms("O"), 1.9, "ontop")
    assert describe(start) == "top Pt via O"
    below_the_next = start.positions.copy()
    below_the_next[-1] = start.positions[start.heights.argmin()] + start.cell[2] - [0, 0, 1.9]
    assert describe(start.moved(below_the_next)) == "unbound"
