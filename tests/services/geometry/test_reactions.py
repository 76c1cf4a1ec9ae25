"""What was adsorbed on a slab before, and bonds to it, on ASE's builders; no compound is taken for a covered surface."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc111, fcc211, mx2
from ase.build import surface as cut
from ase.spacegroup import crystal

from services.forces.restraints import Restraints
from services.geometry import anomalies
from services.geometry.reactions import describe, joined, pre_adsorbates
from services.systems.surfaces import with_surface
from shared import parameters
from shared.structures import Floats, Structure


def structure(atoms: Atoms, n_adsorbate: int = 0) -> Structure:
    atoms = atoms.copy()
    atoms.pbc = True
    mine = np.arange(len(atoms)) >= len(atoms) - n_adsorbate
    return with_surface(Structure.from_atoms(atoms, adsorbate=mine, surface=np.zeros(len(atoms), dtype=bool)))


def covered(what: str, height: float, site: str, size: int = 2, n_layers: int = 3) -> Atoms:
    atoms = fcc111("Pt", (size, size, n_layers), vacuum=8.0, a=3.97)
    n = len(Atoms(what))
    add_adsorbate(atoms, Atoms(what, [(0, 0, 1.15 * k) for k in range(n)]), height, site)
    return atoms


@pytest.mark.parametrize(
    ("what", "height", "site", "size"),
    [
        ("O", 1.25, "fcc", 2),
        ("O", 1.25, "fcc", 1),
        ("N", 1.1, "hcp", 3),
        ("H", 0.9, "fcc", 2),
        ("S", 1.65, "fcc", 2),
        ("Cl", 2.1, "fcc", 2),
        ("CO", 1.85, "ontop", 2),
        ("OH", 2.0, "ontop", 3),
    ],
)
def test_light_adsorbates_of_a_metal_are_recognised(what, height, site, size):
    atoms = covered(what, height, site, size)
    found = pre_adsorbates(structure(atoms))
    assert found.sum() == len(Atoms(what))
    assert found[len(atoms) - len(Atoms(what)) :].all()


def test_at_a_step_edge_too():
    atoms = fcc211("Pt", (3, 2, 3), vacuum=8.0)
    edge = np.flatnonzero(atoms.positions[:, 2] > atoms.positions[:, 2].max() - 0.1)[:2]
    atoms += Atoms("O", [atoms.positions[edge].mean(axis=0) + np.array([0, 0, 1.3])])
    assert np.flatnonzero(pre_adsorbates(structure(atoms))).tolist() == [len(atoms) - 1]


def rutile() -> Atoms:
    return crystal(
        ["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136, cellpar=[4.594, 4.594, 2.959, 90, 90, 90]
    )


CRYSTALS = {
    "TiO2": rutile,
    "MgO": lambda: bulk("MgO", "rocksalt", a=4.21, cubic=True),
    "NiO": lambda: bulk("NiO", "rocksalt", a=4.17, cubic=True),
    "ZnO": lambda: bulk("ZnO", "wurtzite", a=3.25, c=5.2),
    "CeO2": lambda: bulk("CeO2", "fluorite", a=5.41, cubic=True),
    "TiC": lambda: bulk("TiC", "rocksalt", a=4.33, cubic=True),
    "SrTiO3": lambda: crystal(
        ["Sr", "Ti", "O"], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], spacegroup=221, cellpar=[3.9] * 3 + [90] * 3
    ),
    "CaCO3": lambda: crystal(
        ["Ca", "C", "O"],
        [(0, 0, 0), (0, 0, 0.25), (0.257, 0, 0.25)],
        spacegroup=167,
        cellpar=[4.99, 4.99, 17.06, 90, 90, 120],
    ),
}


@pytest.mark.parametrize("miller", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (0, 0, 1), (1, 0, 1)])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("name", sorted(CRYSTALS))
def test_anions_are_no_adsorbates(name, n_layers, miller):
    assert not pre_adsorbates(structure(cut(CRYSTALS[name](), miller, n_layers, vacuum=8.0))).any()


def test_a_closed_layer_is_none_and_hydrogen_on_a_compound_is():
    nickel = fcc111("Ni", (2, 2, 3), a=3.52, vacuum=8.0)
    a, b = nickel.cell[0] / 2, nickel.cell[1] / 2
    above = (0, 0, nickel.positions[:, 2].max() + 2.1)
    points = [i * a + j * b + f * (a + b) / 3 + above for i in range(2) for j in range(2) for f in range(2)]
    assert not pre_adsorbates(structure(nickel + Atoms("C8", points))).any()
    for compound in (mx2("MoS2", size=(2, 2, 1), vacuum=8.0), cut(rutile(), (1, 1, 0), 3, vacuum=8.0) * (1, 2, 1)):
        top = compound.positions[compound.positions[:, 2].argmax()]
        found = pre_adsorbates(structure(compound + Atoms("H", [top + np.array([0, 0, 1.0])])))
        assert np.flatnonzero(found).tolist() == [len(compound)]
    assert not pre_adsorbates(structure(fcc111("Pt", (2, 2, 3), vacuum=8.0))).any()


def co_beside_oxygen() -> Structure:
    """CO upright on a top site, far from an O in a hollow of the slab."""
    atoms = covered("O", 1.25, "fcc", 3)
    add_adsorbate(atoms, Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]), 1.85, "ontop", offset=(2, 1))
    return structure(atoms, 2)


def reacted(start: Structure) -> Floats:
    """Its molecule moved so that C is 1.25 Å beside the slab's O, which it lifts."""
    moved = start.positions.copy()
    oxygen = len(start) - 3
    moved[oxygen] += (0, 0, 0.6)
    shift = moved[oxygen] + (1.05, 0.0, 0.68) - moved[-2]
    moved[-2:] += shift
    moved[-1] = moved[-2] + (1.0, 0.0, 0.6)
    return moved


def labels(start: Structure, positions: Floats) -> tuple[str, ...]:
    return anomalies.find(start, start.moved(positions), start.only(start.slab))


def test_a_bond_to_it_is_a_reaction():
    start = co_beside_oxygen()
    before = pre_adsorbates(start)
    assert np.flatnonzero(before).tolist() == [27]
    assert labels(start, start.positions) == ()
    assert "reacted" not in describe(start, before)
    moved = reacted(start)
    assert labels(start, moved) == ("reacted",)
    assert describe(start.moved(moved), before).endswith("; reacted with O of the slab")
    assert joined(start.moved(moved), before).tolist() == before.tolist()


def test_the_site_is_that_on_the_metal():
    start = co_beside_oxygen()
    before = pre_adsorbates(start)
    moved = reacted(start)
    site = describe(start.moved(moved), before)
    assert "O via C" not in site
    clean = start.only(~before)
    assert describe(start, before) == describe(clean, np.zeros(len(clean), dtype=bool))


def test_what_it_made_may_leave_the_surface():
    start = co_beside_oxygen()
    moved = reacted(start)
    moved[-3:] += (0, 0, 4.5)
    assert labels(start, moved) == ("desorbed", "reacted")


def test_one_that_moves_or_leaves_by_itself_is_the_slabs_change():
    start = co_beside_oxygen()
    hopped, gone = start.positions.copy(), start.positions.copy()
    hopped[27] += start.cell[0] / 9 * np.array([1, 1, 1]) * 0.5
    gone[27] += (0, 0, 4.0)
    assert labels(start, hopped) == ()
    assert labels(start, gone) == ("reconstructed",)
    describe(start.moved(gone), pre_adsorbates(start))


def test_restraints_keep_the_molecule_away_from_it():
    start = co_beside_oxygen()
    restraints = Restraints.build(start, start.only(start.slab), parameters.Restraints())
    assert restraints.evaluate(start.positions)[0] == 0.0
    moved = start.positions.copy()
    moved[-2:] += start.positions[27] + (1.3, 0.0, 0.2) - start.positions[-2]
    assert restraints.parts(moved)["intercalation"] > 0.5
    # the oxygen holds nothing: the molecule above it alone, far from the metal, is pulled back
    moved[-2:] += (-1.3, 0.0, 2.3)
    assert restraints.parts(moved)["desorption"] > 0.5
