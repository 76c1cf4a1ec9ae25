"""What a parsing process answers (an `shared.children.child.Answering`): {"format", "text", "max_atoms"} in, the fields of
`api.parsing.pool.Parsed` out; with "all", those of all frames of the text."""

from __future__ import annotations

from typing import Any

from api.parsing.readers import document, documents

_WARM_UP = {
    "extxyz": '1\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:tags:I:1:move_mask:L:1 pbc="T T T"\n'
    "Pt 0 0 0 1 T\n",
    "poscar": "Pt\n1.0\n5 0 0\n0 5 0\n0 0 5\nPt\n1\nCartesian\n0 0 0\n",
    "cif": "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    "_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n_atom_site_label\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\nPt 0 0 0\n",
    "ase-json": '{"numbers": [78], "positions": [[0, 0, 0]], "cell": [[5, 0, 0], [0, 5, 0], [0, 0, 5]]}',
}


def warm_up() -> None:
    """Read a text of each format."""
    for form, text in _WARM_UP.items():
        document(form, text, 10)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The structure of one text, or all of one system. Raises InvalidInput."""
    read = documents if request.get("all") else document
    return read(request["format"], request["text"], request["max_atoms"])
