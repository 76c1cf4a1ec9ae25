"""Inputs read back by ASE's readers, and settings against those that OC20 publishes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from ase.io import read
from ase.io.espresso import read_fortran_namelist
from fairchem.data.oc.utils.vasp import calculate_surface_k_points
from fairchem.data.oc.utils.vasp_flags import VASP_FLAGS

from services.scoring.handoff import Code, Piece, inputs, k_points
from shared.structures import Structure
from tests.api.structures import adslab

STRUCTURE = Structure.from_oc_atoms(adslab())
COUNTS = {"H2": -0.5, "H2O": 1.0}


def files(code: Code) -> dict[str, str]:
    pieces = [
        Piece("rank0-candidate7", STRUCTURE),
        Piece("slab", STRUCTURE.only(STRUCTURE.slab), relaxed=True),
        Piece("gas-CO", STRUCTURE.only(STRUCTURE.adsorbate), periodic=False, relaxed=True),
    ]
    return inputs(pieces, code, COUNTS)


def test_vasp_has_the_structure_with_its_fixed_atoms() -> None:
    made = files(Code.VASP)
    again = read(io.StringIO(made["rank0-candidate7/POSCAR"]), format="vasp")
    order = np.argsort(STRUCTURE.to_atoms().get_chemical_symbols(), kind="stable")
    assert again.numbers.tolist() == STRUCTURE.numbers[order].tolist()
    np.testing.assert_allclose(
        again.get_positions(wrap=True), STRUCTURE.to_atoms()[order].get_positions(wrap=True), atol=1e-7
    )
    fixed = np.zeros(len(again), dtype=bool)
    if again.constraints:
        fixed[again.constraints[0].get_indices()] = True
    assert fixed.tolist() == STRUCTURE.fixed[order].tolist()
    assert not any("POTCAR" in path for path in made)


def test_vasps_order_leads_back_to_the_one_given() -> None:
    rng = np.random.default_rng(1)
    given = Structure.from_oc_atoms(adslab().repeat((2, 2, 1)))
    given = given.only(rng.permutation(len(given)))
    made = inputs([Piece("rank0-candidate7", given)], Code.VASP, COUNTS)
    again = read(io.StringIO(made["rank0-candidate7/POSCAR"]), format="vasp")
    order, back = np.loadtxt(io.StringIO(made["rank0-candidate7/ase-sort.dat"]), dtype=int).T
    assert again.numbers[back].tolist() == given.numbers.tolist()
    np.testing.assert_allclose(
        again.get_scaled_positions()[back], given.to_atoms().get_scaled_positions(), rtol=0, atol=1e-8
    )
    for symbol in ("C", "O", "Pt"):  # each species in the order given
        assert np.all(np.diff(order[[atom.symbol == symbol for atom in again]]) > 0)


def test_incar_is_oc20s() -> None:
    incar = dict(line.split(" = ") for line in files(Code.VASP)["slab/INCAR"].splitlines())
    for key, value in VASP_FLAGS.items():
        if key in ("pp", "xc"):  # which potentials; not in INCAR
            continue
        said = {".FALSE.": False}.get(incar[key.upper()], incar[key.upper()])
        assert said == value or float(said) == value, key
    one_energy = files(Code.VASP)["rank0-candidate7/INCAR"]
    assert "NSW = 0\n" in one_energy
    assert "IBRION = -1\n" in one_energy


@pytest.mark.parametrize("scale", [(1, 1), (2, 1), (3, 4)])
def test_k_points_are_oc20s(scale: tuple[int, int]) -> None:
    wide = STRUCTURE.to_atoms().repeat((*scale, 1))
    assert k_points(Structure.from_oc_atoms(wide)) == calculate_surface_k_points(wide)


def test_a_molecule_in_a_box_has_one_k_point() -> None:
    made = files(Code.VASP)
    assert made["gas-CO/KPOINTS"].splitlines()[3] == "1 1 1"
    assert made["slab/KPOINTS"].splitlines()[3] != "1 1 1"


def test_espresso_reads_back_with_placeholders_for_pseudopotentials() -> None:
    text = files(Code.ESPRESSO)["slab/pw.in"]
    again = read(io.StringIO(text), format="espresso-in")
    np.testing.assert_allclose(again.positions, STRUCTURE.positions[STRUCTURE.slab], atol=1e-6)
    data, _ = read_fortran_namelist(io.StringIO(text))
    assert data["control"]["calculation"] == "relax"
    assert data["system"]["ecutwfc"] == pytest.approx(350 / 13.605693, rel=1e-5)
    assert data["system"]["input_dft"] == "sla+pw+rpbe+pbc"
    assert "Pt.FILL_IN.UPF" in text


def test_extxyz_and_the_table_name_every_piece() -> None:
    made = files(Code.EXTXYZ)
    names = [atoms.info["name"] for atoms in read(io.StringIO(made["structures.extxyz"]), index=":", format="extxyz")]
    assert names == ["rank0-candidate7", "slab", "gas-CO"]
    assert made["energies.csv"].splitlines() == ["name,total_energy_eV", *(f"{name}," for name in names)]
    assert "E(candidate) - E(slab) + 0.5 E(H2) - 1 E(H2O)" in made["README.txt"]
