"""What the readers make of texts as programs write them: used, refused with the line or site, or said."""

import json
from io import StringIO
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111
from ase.constraints import FixAtoms, FixCartesian
from ase.io import read, write
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from api.parsing.readers import document
from shared.errors import InvalidInput

LATTICE = 'Lattice="5 0 0 0 5 0 0 0 20"'


def read_as(form: str, text: str) -> dict[str, Any]:
    return document(form, text, 400)


def refusal(form: str, text: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        read_as(form, text)
    return str(refused.value)


def copper(vacuum: float) -> Atoms:
    """Three layers with ASE's tags."""
    atoms = fcc111("Cu", (1, 1, 3), vacuum=vacuum, periodic=True)
    atoms.info = {}
    return atoms


def written(atoms: Any, form: str) -> str:
    text = StringIO()
    write(text, atoms, format=form)
    return text.getvalue()


def extxyz(columns: str, *rows: str, keys: str = "") -> str:
    header = f"{LATTICE} Properties=species:S:1:pos:R:3{columns} {keys}"
    return "\n".join([str(len(rows)), header, *rows]) + "\n"


def poscar(*rows: str, symbols: str = "Pt O", counts: str = "1 1", mode: str = "Cartesian", scale: str = "1.0") -> str:
    head = ["made for a test", scale, "5 0 0", "0 5 0", "0 0 20", symbols, counts, *mode.split("\n")]
    return "\n".join([*head, *rows]) + "\n"


def cif(*sites: str, columns: tuple[str, ...] = (), group: str = "P 1") -> str:
    names = ("_atom_site_label", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z", *columns)
    lengths = [f"_cell_length_{axis} 4" for axis in "abc"]
    angles = [f"_cell_angle_{angle} 90" for angle in ("alpha", "beta", "gamma")]
    symmetry = f"_symmetry_space_group_name_H-M '{group}'"
    return "\n".join(["data_x", *lengths, *angles, symmetry, "loop_", *names, *sites]) + "\n"


# extended XYZ


def test_the_last_frame_is_read_and_it_is_said():
    first, last = copper(6), copper(8)
    found = read_as("extxyz", written([first, last], "extxyz"))
    np.testing.assert_allclose(found["positions"], last.positions, atol=1e-7)
    assert "the last of 2 frames was read" in found["notes"]


def test_frames_of_different_sizes_are_counted_and_broken_ones_refused():
    two = extxyz("", "Pt 0 0 0", "Pt 0 0 3") + extxyz("", "O 0 0 0")
    assert read_as("extxyz", two)["numbers"] == [8]
    assert "line 4 should be the number of atoms of a further frame" in refusal(
        "extxyz", extxyz("", "Pt 0 0 0") + "and so on\n"
    )
    assert "line 4 declares 1 atoms, but only 0 lines follow" in refusal(
        "extxyz", extxyz("", "Pt 0 0 0") + "1\n" + LATTICE
    )
    assert "a frame has no blank lines behind it" in refusal(
        "extxyz", extxyz("", "Pt 0 0 0") + "\n\n" + extxyz("", "Pt 0 0 0")
    )
    assert "more than 10000 frames" in refusal("extxyz", extxyz("", "Pt 0 0 0") * 10_001)


@pytest.mark.parametrize(
    ("column", "flags", "fixed"),
    [
        (":fixed:I:1", ("1", "0"), [True, False]),
        (":fixed:L:1", ("T", "F"), [True, False]),
        (":frozen:L:1", ("T", "F"), [True, False]),
        (":move_mask:L:1", ("T", "F"), [False, True]),
        (":move_mask:I:1", ("1", "0"), [False, True]),
        (":move_mask:L:3", ("T T T", "F F F"), [False, True]),
        (":selective_dynamics:L:3", ("T T T", "F F F"), [False, True]),
        (":selective_dynamics:S:3", ("True True True", "False False False"), [False, True]),
    ],
)
def test_columns_that_say_which_atoms_are_fixed_are_used(column, flags, fixed):
    found = read_as("extxyz", extxyz(column, f"Pt 0 0 0 {flags[0]}", f"Pt 0 0 3 {flags[1]}"))
    assert (found["fixed"], found["notes"]) == (fixed, [])


def test_flags_that_fix_a_direction_or_say_nothing_are_refused_with_their_line():
    partial = extxyz(":move_mask:L:3", "Pt 0 0 0 T T T", "Pt 0 0 3 T F T")
    assert refusal("extxyz", partial).startswith(
        "line 4 (atom 1): move_mask T F T fixes the atom along some directions only"
    )
    assert refusal("extxyz", extxyz(":fixed:I:1", "Pt 0 0 0 7")).startswith("line 3 (atom 0): fixed must be T or F")


def test_other_columns_and_keys_are_said_to_be_unused():
    given = extxyz(
        ":forces:R:3:magmoms:R:1:constraints:I:1",
        "Pt 0 0 0 1 2 3 0.5 1",
        keys='energy=-1.0 charge=1 comment="x" config_type=a',
    )
    assert read_as("extxyz", given)["notes"] == [
        "not used: config_type, constraints, energy, forces",
        "not used: charge, magmoms; the members compute neutral systems and take no charges or spins",
    ]


def test_prose_in_the_comment_is_no_key():
    assert read_as("extxyz", "2\nCO molecule, relaxed\nC 0 0 0\nO 0 0 1.15\n")["notes"] == []


def test_a_key_that_would_be_passed_over_is_refused():
    text = extxyz("", "Pt 0 0 0").replace("Lattice", "lattice")
    assert refusal("extxyz", text) == "the comment line says lattice=...: it is written Lattice=..."


def test_rows_that_lack_columns_and_words_that_are_no_elements_are_refused_with_their_line():
    assert refusal("extxyz", extxyz(":tags:I:1", "Pt 0 0 0 1", "Pt 0 0 3")).startswith(
        "line 4 has 4 columns where 5 are declared"
    )
    assert refusal("extxyz", extxyz("", "Pt 0 0 0", "Xx 0 0 3")) == "line 4 (atom 1): 'Xx' is no element"
    assert refusal("extxyz", extxyz("", "X 0 0 0")) == "line 3 (atom 0): 'X' is no element"


@pytest.mark.parametrize(
    ("word", "number", "said"),
    [
        ("D", 1, "read D as H: isotopes have the energies of their element"),
        ("T", 1, "read T as H: isotopes have the energies of their element"),
        ("13C", 6, "read 13C as C: isotopes have the energies of their element"),
        ("D1", 1, "read D1 as H: isotopes have the energies of their element"),
        ("Pt4+", 78, "read Pt4+ as Pt: the members compute neutral systems and take no charges"),
        ("Pt+4", 78, "read Pt+4 as Pt: the members compute neutral systems and take no charges"),
        ("O2-", 8, "read O2- as O: the members compute neutral systems and take no charges"),
        ("Fe1", 26, "read Fe1 as Fe: the rest is taken for a label"),
        ("PT", 78, "read PT as Pt"),
        ("pt", 78, "read pt as Pt"),
    ],
)
def test_isotopes_charges_and_labels_are_read_as_their_element_and_said(word, number, said):
    found = read_as("extxyz", extxyz("", f"{word} 0 0 0"))
    assert (found["numbers"], found["notes"]) == ([number], [said])


def test_what_ase_writes_is_read_as_ase_reads_it():
    atoms = copper(8)
    atoms.set_constraint([FixAtoms([0, 1]), FixCartesian([2], (True, True, True))])
    text = written(atoms, "extxyz")
    ours, theirs = read_as("extxyz", text), read(StringIO(text), format="extxyz")
    assert ours["positions"] == theirs.positions.tolist()
    assert (ours["cell"], ours["pbc"]) == (theirs.cell.tolist(), theirs.pbc.tolist())
    assert ours["tags"] == theirs.get_tags().tolist()
    assert np.flatnonzero(ours["fixed"]).tolist() == [0, 1, 2]


def test_line_ends_and_marks_of_other_systems_make_no_difference():
    text = extxyz(":tags:I:1", "Pt 0 0 0 1")
    assert read_as("extxyz", "\ufeff" + text.replace("\n", "\r\n")) == read_as("extxyz", text)
    vasp = poscar("0 0 0", "0 0 2")
    assert read_as("poscar", vasp.replace("\n", "\r\n")) == read_as("poscar", vasp)


# POSCAR


def test_flags_fix_whole_atoms():
    found = read_as("poscar", poscar("0 0 0 F F F", "0 0 2 T T T", mode="Selective dynamics\nCartesian"))
    assert (found["fixed"], found["tags"], found["notes"]) == ([True, False], None, [])
    found = read_as("poscar", poscar("0 0 0 .FALSE. f F Pt", "0 0 2 .TRUE. t T O", mode="selective\ncart"))
    assert found["fixed"] == [True, False]


def test_flags_that_fix_a_direction_are_refused_with_their_line():
    message = refusal("poscar", poscar("0 0 0 T F T", "0 0 2 T T T", mode="Selective dynamics\nDirect"))
    assert message.startswith("line 10 (atom 0): selective_dynamics T F T fixes the atom along some directions only")


def test_a_symbol_before_the_flags_is_refused_with_the_form_that_is_read():
    message = refusal("poscar", poscar("0 0 0 Pt F F F", "0 0 2 O T T T", mode="Selective dynamics\nDirect"))
    assert message.startswith("line 10: the three coordinates are followed by three flags T or F")
    assert "'0 0 0 F F F Pt', not '0 0 0 Pt F F F'" in message
    missing = refusal("poscar", poscar("0 0 0 F F F", "0 0 2", mode="Selective dynamics\nDirect"))
    assert missing.startswith("line 11: the three coordinates are followed by three flags")


def test_symbols_behind_the_coordinates_must_agree_with_the_counts():
    assert read_as("poscar", poscar("0 0 0 Pt", "0 0 2 O"))["numbers"] == [78, 8]
    message = refusal("poscar", poscar("0 0 0 O", "0 0 2 Pt"))
    assert message.startswith("line 9 names O, but by the counts of line 7 this atom is Pt")


@pytest.mark.parametrize(
    ("symbols", "numbers", "said"),
    [
        ("O D", [8, 1], ["read D as H: isotopes have the energies of their element"]),
        ("Pt_pv O_s", [78, 8], ["read Pt_pv as Pt, O_s as O: the rest is taken for a label"]),
        ("Ni/abc123 O", [28, 8], ["read Ni/abc123 as Ni: the rest is taken for a label"]),
        ("Ni_pv/6a2f546d O", [28, 8], ["read Ni_pv/6a2f546d as Ni: the rest is taken for a label"]),
    ],
)
def test_labels_of_potentials_are_read_as_their_element_and_said(symbols, numbers, said):
    found = read_as("poscar", poscar("0 0 0", "0 0 2", symbols=symbols))
    assert (found["numbers"], found["notes"]) == (numbers, said)


def test_a_pseudo_hydrogen_is_no_element():
    assert refusal("poscar", poscar("0 0 0", "0 0 2", symbols="Pt H.5")) == "line 6: 'H.5' is no element"


def test_scales_multiply_and_a_negative_one_is_the_volume():
    twice = read_as("poscar", poscar("0 0 1", "0 0 2", scale="2.0"))
    assert (twice["cell"][2], twice["positions"][1]) == ([0, 0, 40], [0, 0, 4])
    volume = read_as("poscar", poscar("0 0 0.5", "0 0 0.6", mode="Direct", scale="-4000"))
    np.testing.assert_allclose(volume["cell"], np.diag([10, 10, 40]), atol=1e-9)
    stretched = read_as("poscar", poscar("1 1 1", "0 0 2", scale="1 1 2"))
    assert (stretched["cell"][2], stretched["positions"][0]) == ([0, 0, 40], [1, 1, 2])
    assert "one negative one is the cell's volume" in refusal("poscar", poscar("0 0 0", "0 0 2", scale="0"))


def test_a_negative_scale_of_a_left_handed_cell_turns_nothing_over():
    left = poscar("0 0 0.1", "0 0 0.2", mode="Direct", scale="-500").replace("0 0 20", "0 0 -20")
    np.testing.assert_allclose(read_as("poscar", left)["cell"], np.diag([5, 5, -20]), atol=1e-9)


def test_what_follows_the_positions_is_said_or_refused():
    velocities = poscar("0 0 0", "0 0 2", "", "0 0 0.1", "0 0 0.1")
    assert read_as("poscar", velocities)["notes"] == ["not used: the velocities or MD data behind the positions"]
    assert "line 11 looks like another atom, but line 7 counts 2" in refusal(
        "poscar", poscar("0 0 0", "0 0 2", "0 0 4")
    )
    several = poscar(
        "0 0 0", "0 0 0.1", "Direct configuration=     2", "0 0 0", "0 0 0.2", mode="Direct configuration=     1"
    )
    assert "several configurations, as an XDATCAR does" in refusal("poscar", several)


def test_a_mode_that_is_missing_is_named():
    assert refusal("poscar", poscar("0 0 0", "0 0 2", "0 0 3", mode="0 0 1")).startswith(
        "line 8 of the POSCAR must say Direct"
    )


def test_what_ase_and_pymatgen_write_is_read_to_the_last_bit_or_the_last_digit():
    atoms = fcc111("Cu", (2, 2, 3), vacuum=8, periodic=True)
    text = StringIO()
    write(text, atoms, format="vasp", direct=True)
    assert (
        read_as("poscar", text.getvalue())["positions"]
        == read(StringIO(text.getvalue()), format="vasp").positions.tolist()
    )
    crystal = Structure(
        Lattice.tetragonal(4, 8), ["Pt", "O"], [[0, 0, 0], [0.5, 0.5, 0.25]],
        site_properties={"selective_dynamics": [[False] * 3, [True] * 3]},
    )  # fmt: skip
    found = read_as("poscar", Poscar(crystal).get_str())
    np.testing.assert_allclose(found["positions"], crystal.cart_coords, atol=1e-9)
    assert (found["fixed"], found["notes"]) == ([True, False], [])


# CIF

OCCUPIED = ("_atom_site_occupancy",)


def test_partly_occupied_and_shared_sites_are_refused_by_name():
    shared = cif("Pt1 0 0 0 0.5", "Pd1 0 0 0 0.5", columns=OCCUPIED, group="F m -3 m")
    message = refusal("cif", shared)
    assert "Pt1 (occupancy 0.5); Pd1 (occupancy 0.5)" in message
    assert "Give an ordered cell" in message
    assert "O1 (occupancy 0.9)" in refusal("cif", cif("Pt1 0 0 0 1.0", "O1 0.5 0.5 0.5 0.90(2)", columns=OCCUPIED))
    assert "Pt1 and Pd1 at one place" in refusal("cif", cif("Pt1 0 0 0", "Pd1 0 0 0"))
    by_symmetry = cif("Pt1 0 0 0 1", "Pd1 0.5 0.5 0 1", columns=OCCUPIED, group="F m -3 m")
    assert "Pt1 and Pd1 at one place" in refusal("cif", by_symmetry)
    assert "O1 (disorder group 1)" in refusal("cif", cif("O1 0 0 0 1", columns=("_atom_site_disorder_group",)))


def test_a_site_that_is_listed_twice_is_refused():
    assert "Pt1 and Pt2 are the same place by the symmetry" in refusal(
        "cif", cif("Pt1 0 0 0", "Pt2 0 0.5 0.5", group="F m -3 m")
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of its own libraries
def test_pymatgens_disordered_cif_is_refused():
    alloy = Structure(Lattice.cubic(3.9), [{"Pt": 0.75, "Ni": 0.25}, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert "ordered cell" in refusal("cif", str(CifWriter(alloy)))
    ordered = Structure(Lattice.cubic(3.9), ["Pt", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert read_as("cif", str(CifWriter(ordered)))["numbers"] == [78, 8]


def test_whole_occupancies_and_unknown_ones_are_read():
    found = read_as("cif", cif("Pt1 0 0 0 1.000", "O1 0.5 0.5 0.5 ?", columns=OCCUPIED, group="P m -3 m"))
    assert (found["numbers"], found["pbc"], found["notes"]) == ([78, 8], [True] * 3, [])


def test_several_structures_are_refused_and_empty_blocks_passed_over():
    one = cif("Pt1 0 0 0")
    assert "holds 2 structures (data_x, data_y)" in refusal("cif", one + one.replace("data_x", "data_y"))
    assert read_as("cif", "data_global\n_journal_year 2020\n" + one)["numbers"] == [78]


TYPED = ("_atom_site_type_symbol",)


@pytest.mark.parametrize(
    ("site", "columns", "number", "said"),
    [
        ("Pt1 0 0 0 Pt4+", TYPED, 78, "read Pt4+ as Pt: the members compute neutral systems and take no charges"),
        ("O1 0 0 0 O2-", TYPED, 8, "read O2- as O: the members compute neutral systems and take no charges"),
        ("D1 0 0 0 D", TYPED, 1, "read D as H: isotopes have the energies of their element"),
        ("D1 0 0 0", (), 1, "read D as H: isotopes have the energies of their element"),
        ("T1 0 0 0 T", TYPED, 1, "read T as H: isotopes have the energies of their element"),
    ],
)
def test_isotopes_and_oxidation_states_of_sites_are_said(site, columns, number, said):
    found = read_as("cif", cif(site, columns=columns))
    assert (found["numbers"], found["notes"]) == ([number], [said])


@pytest.mark.parametrize(
    ("site", "columns", "said"),
    [
        ("PT1 0 0 0", (), "site PT1 may be P or Pt: name the elements in a column _atom_site_type_symbol"),
        ("M1 0 0 0", (), "site M1: 'M' is no element"),
        ("Wat 0 0 0 Wat", TYPED, "site Wat: 'Wat' is no element"),
        ("C1 0 0 0 2", ("_atom_site_attached_hydrogens",), "sites C1 have attached hydrogens without positions"),
    ],
)
def test_sites_of_no_certain_element_are_refused(site, columns, said):
    assert said in refusal("cif", cif(site, columns=columns))


# ASE JSON


def ase_json(**more: Any) -> str:
    return json.dumps({"numbers": [78], "positions": [[0, 0, 0]], "cell": [[5, 0, 0], [0, 5, 0], [0, 0, 20]]} | more)


def test_several_rows_of_a_json_file_are_refused():
    one = json.loads(written(Atoms("Pt"), "json"))
    two = json.dumps(one | {"2": one["1"], "ids": [1, 2], "nextid": 3})
    assert "holds 2 structures, and must hold exactly one" in refusal("ase-json", two)
    assert read_as("ase-json", written(Atoms("Pt"), "json"))["numbers"] == [78]


def test_constraints_of_json_in_words():
    partial = [{"name": "FixCartesian", "kwargs": {"a": [0], "mask": [True, False, True]}}]
    assert refusal("ase-json", ase_json(constraints=partial)).startswith(
        "atom 0: move_mask F T F fixes the atom along some"
    )
    whole = [{"name": "FixScaled", "kwargs": {"a": [0], "mask": [True, True, True]}}]
    assert read_as("ase-json", ase_json(constraints=whole))["fixed"] == [True]
    plane = [{"name": "FixedPlane", "kwargs": {"indices": [0], "direction": [0, 0, 1]}}]
    assert refusal("ase-json", ase_json(constraints=plane)).startswith(
        "a constraint keeps atoms in a plane: only whole atoms"
    )
    absent = [{"name": "FixAtoms", "kwargs": {"indices": [5]}}]
    assert "indices lie below 1" in refusal("ase-json", ase_json(constraints=absent))


def test_what_json_holds_besides_is_said():
    given = ase_json(
        momenta=[[0, 0, 1]], initial_magmoms=[1], info={"note": 1, "adsorbate_info": {}}, energy=1, unique_id="x"
    )
    assert read_as("ase-json", given)["notes"] == [
        "not used: energy, momenta, note",
        "not used: initial_magmoms; the members compute neutral systems and take no charges or spins",
    ]
    shared = ase_json(info={"occupancy": {"0": {"Pt": 0.5, "Pd": 0.5}}})
    assert "a site with Pt 0.5, Pd 0.5" in refusal("ase-json", shared)
