"""What users have at hand, as the server gets it."""

import operator

import numpy as np
import pytest
from adhop import AdhopError, inputs
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixedPlane, FixScaled
from ase.io import read, write
from pymatgen.core import Lattice, Molecule, Species, Structure


def test_tags_go_along_as_they_are_and_the_server_reads_them():
    slab = fcc111("Pt", (2, 2, 3), vacuum=8)
    assert inputs.structure(slab)["tags"] == [3] * 4 + [2] * 4 + [1] * 4
    add_adsorbate(slab, molecule("CO"), 2.0)
    assert inputs.structure(slab)["tags"][-2:] == [0, 0]
    assert "tags" not in inputs.structure(molecule("CO"))


def test_fixed_atoms_are_sent_and_other_constraints_in_words():
    slab = fcc111("Pt", (1, 1, 3), vacuum=8)
    slab.set_constraint(FixAtoms([0]))
    assert inputs.structure(slab)["fixed"] == [True, False, False]
    slab.set_constraint(FixedPlane([0], (0, 0, 1)))
    with pytest.raises(AdhopError, match="keeps atoms in a plane: only whole atoms can be fixed"):
        inputs.structure(slab)
    slab.set_constraint(FixBondLength(0, 1))
    with pytest.raises(AdhopError, match="fixes distances"):
        inputs.structure(slab)


@pytest.mark.parametrize("kind", [FixCartesian, FixScaled])
def test_directions_that_are_held_go_as_the_flags_of_each_atom(kind):
    slab = fcc111("Pt", (1, 1, 3), vacuum=8)
    slab.set_constraint([FixAtoms([2]), kind([0], (True, True, False)), kind([1], (True, True, True))])
    sent = inputs.structure(slab)
    assert sent["fixed"] == [False, False, True]
    assert sent["columns"] == {"selective_dynamics": [[0, 0, 1], [0, 0, 0], [1, 1, 1]]}


def test_what_is_not_sent_is_named():
    slab = bulk("Cu")
    slab.calc = EMT()
    slab.get_potential_energy()
    slab.set_momenta([[0.0, 0.0, 1.0]])
    slab.info["charge"] = 1
    slab.set_array("fixed", np.array([1]))
    sent = inputs.structure(slab)
    assert {"energy", "momenta", "charge"} <= set(sent["left_out"])
    assert sent["columns"] == {"fixed": [[1]]}


def test_energies_kept_with_a_structure_are_named_alike_from_file_and_memory(tmp_path):
    slab = bulk("Cu", cubic=True)
    slab.calc = SinglePointCalculator(slab, energy=-1.0)
    write(tmp_path / "a.extxyz", slab)
    assert inputs.structure(read(tmp_path / "a.extxyz"))["left_out"] == inputs.structure(slab)["left_out"]


@pytest.mark.parametrize(
    ("name", "form", "written"),
    [
        ("a.xyz", "extxyz", "extxyz"),
        ("a.extxyz", "extxyz", "extxyz"),
        ("a.cif", "cif", "cif"),
        ("a.json", "ase-json", "json"),
        ("POSCAR", "poscar", "vasp"),
        ("CONTCAR_relaxed", "poscar", "vasp"),
        ("a.vasp", "poscar", "vasp"),
        ("without_suffix", "poscar", "vasp"),
        ("without_suffix", "extxyz", "extxyz"),
        ("without_suffix", "cif", "cif"),
        ("without_suffix", "ase-json", "json"),
        ("relaxed.final", "extxyz", "extxyz"),
    ],
)
def test_files_go_as_text_with_their_format_named(tmp_path, name, form, written):
    atoms = bulk("Cu")
    write(tmp_path / name, atoms, format=written)
    assert inputs.structure(tmp_path / name) == {"format": form, "text": (tmp_path / name).read_text()}
    assert inputs.structure(str(tmp_path / name)) == inputs.structure(tmp_path / name)


def test_a_file_that_a_spreadsheet_saved_is_sent_without_its_mark(tmp_path):
    write(tmp_path / "plain.xyz", bulk("Cu"), format="extxyz")
    (tmp_path / "marked.xyz").write_text((tmp_path / "plain.xyz").read_text(), encoding="utf-8-sig")
    assert inputs.structure(tmp_path / "marked.xyz") == inputs.structure(tmp_path / "plain.xyz")


def test_unknown_missing_and_binary_files_are_refused_before_anything_is_sent(tmp_path):
    with pytest.raises(AdhopError, match="unknown kind of file"):
        inputs.structure(tmp_path / "a.traj")
    with pytest.raises(AdhopError, match="can't be read"):
        inputs.structure(tmp_path / "missing.cif")
    (tmp_path / "packed.cif").write_bytes(b"\x1f\x8b\xff\xfe")
    with pytest.raises(AdhopError, match="can't be read"):
        inputs.structure(tmp_path / "packed.cif")
    (tmp_path / "notes").write_text("nothing of the kind\n")
    with pytest.raises(AdhopError, match="unknown kind of file; name it by its format"):
        inputs.structure(tmp_path / "notes")


def test_what_is_no_structure_is_said_to_be_none():
    with pytest.raises(AdhopError, match="2 structures were given"):
        inputs.structure([bulk("Cu"), bulk("Pt")])
    with pytest.raises(AdhopError, match="float is no structure"):
        inputs.structure(1.0)


def test_a_molecule_needs_its_binding_atoms(tmp_path):
    assert inputs.adsorbate("*CO", None) == "*CO"
    assert inputs.adsorbate("H2O", None) == "H2O"  # the server says how it is called
    with pytest.raises(AdhopError, match="binding"):
        inputs.adsorbate(molecule("H2O"), None)
    assert inputs.adsorbate(molecule("H2O"), [0])["binding"] == [0]
    write(tmp_path / "water", molecule("H2O"), format="extxyz")
    assert inputs.adsorbate(str(tmp_path / "water"), [0])["structure"]["format"] == "extxyz"


@pytest.mark.parametrize(
    "given",
    [[1, 2], (1, 2), range(1, 3), np.array([1, 2]), np.array([1, 2], dtype=np.uint8), iter([1, 2]), {1: "C", 2: "O"}.keys(),
     np.array([False, True, True]), [False, True, True], [-2, -1]],
)  # fmt: skip
def test_indices_come_as_lists_ranges_arrays_and_masks(given):
    found = inputs.indices(given, "binding", {"numbers": [78, 6, 8]})
    assert found == [1, 2]
    assert all(type(index) is int for index in found)


def test_a_single_index_and_none():
    assert inputs.indices(np.int64(3), "binding") == [3]
    assert inputs.indices(np.array([]), "binding") == []


@pytest.mark.parametrize("given", [[0.5], np.array([1.0]), "CO", ["0"]])
def test_other_indices_are_refused(given):
    with pytest.raises(AdhopError, match="whole numbers, the indices of atoms"):
        inputs.indices(given, "binding")
    with pytest.raises(AdhopError, match="mask of 2 atoms, and the structure has 3"):
        inputs.indices([True, False], "binding", {"numbers": [1, 1, 1]})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ((1, 1, 1), [1, 1, 1]),
        (np.array([2, 1, 1]), [2, 1, 1]),
        (np.array([0, 0, 0, 1]), [0, 0, 0, 1]),
        ("1,1,1", [1, 1, 1]),
        ("(1 0 -1 0)", [1, 0, -1, 0]),
        ("111", [1, 1, 1]),
        ("1-10", [1, -1, 0]),
        ("10 1 1", [10, 1, 1]),
    ],
)
def test_miller_indices_as_people_write_them(given, meant):
    assert inputs.miller(given) == meant


@pytest.mark.parametrize("given", ["fcc", "1,1", "1,a,1", "11x", "1.5 1 1", (1, 1), (1, 0.5, 0), 111])
def test_what_is_no_miller_index_is_refused(given):
    with pytest.raises(AdhopError):
        inputs.miller(given)


def test_a_bulk_is_an_element_or_a_crystal():
    assert inputs.bulk("Pt", None, 3.97) == {"element": "Pt", "a": 3.97}
    assert inputs.bulk(bulk("NaCl", "rocksalt", a=5.64), None, None)["numbers"] == [11, 17]


def rutile(**more):
    return Structure(Lattice(np.diag([4.0, 4.0, 8.0])), ["Pt", "O"], [[0, 0, 0], [0.5, 0.5, 0.25]], **more)


def test_pymatgens_objects_go_as_arrays():
    sent = inputs.structure(rutile(site_properties={"selective_dynamics": [[False] * 3, [True] * 3], "magmom": [1, 0]}))
    assert (sent["numbers"], sent["positions"]) == ([78, 8], [[0, 0, 0], [2, 2, 2]])
    assert operator.itemgetter("cell", "pbc")(sent) == ([[4, 0, 0], [0, 4, 0], [0, 0, 8]], [True] * 3)
    assert sent["columns"] == {"selective_dynamics": [[0, 0, 0], [1, 1, 1]]}
    assert sent["left_out"] == ["magmom"]
    gas = inputs.structure(Molecule(["C", "O"], [[0, 0, 0], [0, 0, 1.2]], charge=-1))
    assert (gas["cell"], gas["pbc"]) == ([[0, 0, 0]] * 3, [False] * 3)
    assert "charge" in gas["left_out"]


def test_charges_of_pymatgens_species_are_named():
    charged = Structure(Lattice.cubic(4), [Species("Ce", 4), Species("O", -2)], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert set(inputs.structure(charged)["left_out"]) == {"charge", "oxidation_states"}
    assert inputs.structure(charged)["numbers"] == [58, 8]


def test_disordered_crystals_are_refused_with_their_sites(tmp_path):
    disordered = Structure(Lattice.cubic(4), [{"Pt": 0.5, "Pd": 0.5}, {"O": 0.5}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(AdhopError, match=r"Pd:0.5, Pt:0.5 at \[0.0, 0.0, 0.0\] Å; O:0.5.*ordered cell"):
        inputs.structure(disordered)
    disordered.to(filename=str(tmp_path / "a.cif"))
    with pytest.raises(AdhopError, match=r"ordered cell"):
        inputs.structure(read(tmp_path / "a.cif"))  # ASE keeps the dominant species, and the shares aside
