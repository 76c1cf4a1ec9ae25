"""What users have at hand, as the server gets it."""

import pytest
from adhop import AdhopError, inputs
from ase.build import add_adsorbate, bulk, fcc111, molecule
from ase.constraints import FixAtoms, FixedPlane
from ase.io import write


def test_layer_numbers_of_a_surface_builder_are_not_sent_as_tags():
    slab = fcc111("Pt", (2, 2, 3), vacuum=8)
    assert "tags" not in inputs.structure(slab)
    add_adsorbate(slab, molecule("CO"), 2.0)
    assert "tags" not in inputs.structure(slab, adsorbate_indices=[12, 13])


def test_tags_that_mark_an_adsorbate_are_sent():
    slab = fcc111("Pt", (2, 2, 3), vacuum=8)
    slab.set_tags([0] * 8 + [1] * 4)
    add_adsorbate(slab, molecule("CO"), 2.0)
    slab.set_tags([0] * 8 + [1] * 4 + [2, 2])
    assert inputs.structure(slab)["tags"] == [0] * 8 + [1] * 4 + [2, 2]


def test_fixed_atoms_are_sent_and_other_constraints_refused():
    slab = fcc111("Pt", (1, 1, 3), vacuum=8)
    slab.set_constraint(FixAtoms([0]))
    assert inputs.structure(slab)["fixed"] == [True, False, False]
    slab.set_constraint(FixedPlane([0], (0, 0, 1)))
    with pytest.raises(AdhopError, match="FixAtoms"):
        inputs.structure(slab)


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
    ],
)
def test_files_go_as_text_with_their_format_named(tmp_path, name, form, written):
    atoms = bulk("Cu")
    write(tmp_path / name, atoms, format=written)
    assert inputs.structure(tmp_path / name) == {"format": form, "text": (tmp_path / name).read_text()}


def test_unknown_missing_and_binary_files_are_refused_before_anything_is_sent(tmp_path):
    with pytest.raises(AdhopError, match="unknown kind of file"):
        inputs.structure(tmp_path / "a.traj")
    with pytest.raises(AdhopError, match="can't be read"):
        inputs.structure(tmp_path / "missing.cif")
    (tmp_path / "packed.cif").write_bytes(b"\x1f\x8b\xff\xfe")
    with pytest.raises(AdhopError, match="can't be read"):
        inputs.structure(tmp_path / "packed.cif")


def test_a_molecule_needs_its_binding_atoms():
    assert inputs.adsorbate("*CO", None) == "*CO"
    with pytest.raises(AdhopError, match="binding"):
        inputs.adsorbate(molecule("H2O"), None)
    assert inputs.adsorbate(molecule("H2O"), [0])["binding"] == [0]


def test_a_bulk_is_an_element_or_a_crystal():
    assert inputs.bulk("Pt", None, 3.97) == {"element": "Pt", "a": 3.97}
    assert inputs.bulk(bulk("NaCl", "rocksalt", a=5.64), None, None)["numbers"] == [11, 17]
