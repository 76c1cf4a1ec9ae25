"""A molecule must be one molecule, free to move, with room beside its own periodic images. Refusals say what to change.

Pure checks on arrays, as in api.jobs.validation. Lengths in Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NoReturn

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from shared import molecules
from shared.errors import InvalidInput
from shared.molecules import Contact, Extent
from shared.parameters import Placement
from shared.structures import Floats, Integers, Structure
from shared.submissions import Adsorbate

MOST_REPEATS = 8
"""Largest number of repeats along a lattice vector that a refusal proposes."""
_SAME_PLACE = 0.1
"""An atom this near to another's translated place is its equivalent."""
_ALLOW = "or set parameters.placement.allow_image_contact to have it so"
_BOX = "in a box that it doesn't touch, or without a cell"


def whole(molecule: Structure, field: str) -> Floats:
    """Positions of a free molecule in one piece, whatever box it was wrapped into, [n_atoms, 3]. Raises InvalidInput for what is no
    molecule in its box but a chain or a crystal."""
    cell, pbc = molecule.cell, molecule.pbc & molecule.cell.any(axis=1)
    if not len(molecule) or not pbc.any() or not (np.isfinite(molecule.positions).all() and np.isfinite(cell).all()):
        return molecule.positions
    rows = cell[pbc]
    if np.linalg.det(rows @ rows.T) < 1e-6:
        raise InvalidInput(f"the molecule's cell is flat: give the molecule {_BOX}", field=field)
    positions = molecules.unwrapped(molecule.numbers, molecule.positions, cell, pbc)
    if molecules.is_endless(molecule.numbers, positions, cell, pbc):
        raise InvalidInput(
            "the adsorbate's atoms are bonded to their own periodic images: in this cell it is a chain, a layer or a crystal, or "
            f"the cell is too small. Give the molecule {_BOX}",
            field=field,
        )
    return positions


def check_one_piece(adsorbate: Adsorbate, field: str) -> None:
    """Raise InvalidInput for a molecule in pieces."""
    _check_pieces(
        np.array(adsorbate.numbers),
        np.array(adsorbate.positions, dtype=float).reshape(-1, 3),
        np.arange(len(adsorbate.numbers)),
        "Give one molecule; if it was cut by the face of its box, give the box too, as cell with pbc",
        field,
    )


def check_adsorbate_of(adslab: Structure, field: str) -> Floats:
    """Positions of an adslab's adsorbate in one piece, [n_adsorbate, 3]. Raises InvalidInput where it is in pieces, or fixed."""
    atoms = np.flatnonzero(adslab.adsorbate)
    held = atoms[adslab.fixed[atoms]]
    if len(held):
        raise InvalidInput(
            f"{_atoms(adslab.numbers[held], held)} of the adsorbate and fixed: the search moves and places the adsorbate as a "
            "whole. Fix atoms of the slab only",
            field=field,
        )
    numbers = adslab.numbers[atoms]
    positions = molecules.unwrapped(numbers, adslab.positions[atoms], adslab.cell, adslab.pbc)
    hint = (
        "Give one adsorbate, and leave what else is adsorbed to the slab (tags below 2, or not among adsorbate_indices): it is "
        "taken as adsorbed before"
    )
    _check_pieces(numbers, positions, atoms, hint, field)
    return positions


def check_as_given(adslab: Structure, positions: Floats, placement: Placement, field: str) -> None:
    """Raise InvalidInput where the adsorbate touches its own image as it lies. positions: of its atoms, in one piece."""
    if placement.allow_image_contact:
        return
    atoms = np.flatnonzero(adslab.adsorbate)
    numbers = adslab.numbers[atoms]
    longest = float(np.ptp(positions, axis=0).sum() + molecules.bond_lengths(numbers).max())
    contact = molecules.image_contact(numbers, positions, molecules.translations(adslab.cell[:2], longest))
    if contact is not None:
        across = adslab.cell[0] / np.linalg.norm(adslab.cell[0])
        frame = np.array([across, np.cross(adslab.normal, across), adslab.normal])
        room = Extent.of(numbers, [positions @ frame.T], 0.0).room
        raise InvalidInput(
            f"the adsorbate touches its own periodic image: {_pair(contact, numbers, atoms)} of neighbouring cells are "
            f"{contact.distance:.2f} Å apart, and below {contact.bond:.2f} Å they count as bonded. With {_up(room):.1f} Å from image "
            f"to image it touches none: {_larger(adslab.only(adslab.slab), room)}, {_ALLOW}",
            field=field,
        )


def check_room(adsorbate: Adsorbate, ways: Sequence[Floats], slab: Structure, placement: Placement, field: str) -> None:
    """Raise InvalidInput where the molecule would touch its own image at some turn on this slab.

    ways: in which it is placed, the normal along z, [n, 3] each.
    """
    extent = Extent.of(adsorbate.numbers, ways, placement.mode.tilt)
    contact = extent.touching(molecules.translations(slab.cell[:2], extent.room))
    if contact is None or placement.allow_image_contact:
        return
    lengths = np.linalg.norm(molecules.translations(slab.cell[:2], extent.room), axis=1)
    _refuse(
        adsorbate,
        contact,
        f"It needs {_up(extent.room):.1f} Å from image to image and this cell gives {lengths.min():.2f} Å: "
        f"{_larger(slab, extent.room)}",
        field,
    )


def check_width(adsorbate: Adsorbate, ways: Sequence[Floats], min_width: float, placement: Placement) -> None:
    """Raise InvalidInput where the molecule would touch its own image at some turn in a cell no wider than `min_width`. ways: as
    for `check_room`."""
    extent = Extent.of(adsorbate.numbers, ways, placement.mode.tilt)
    contact = extent.touching(np.array([[min_width, 0.0, 0.0]]))
    if placement.allow_image_contact or min_width >= extent.room or contact is None:
        return
    _refuse(adsorbate, contact, f"Give min_width at least {_up(extent.room):.1f}", "input.min_width")


def _refuse(adsorbate: Adsorbate, contact: Contact, remedy: str, field: str) -> NoReturn:
    numbers = np.array(adsorbate.numbers)
    raise InvalidInput(
        f"{adsorbate.name} would touch its own periodic image: {_pair(contact, numbers, np.arange(len(numbers)))} of neighbouring "
        f"cells come within {contact.distance:.2f} Å at some turn, and below {contact.bond:.2f} Å they count as bonded. {remedy}, "
        f"{_ALLOW}",
        field=field,
    )


def _larger(slab: Structure, room: float) -> str:
    """The smallest cell with `room` from image to image, as repeats of the surface's own cell where the given one is known to be
    repeats of it."""
    given = [_repeats(slab, vector) for vector in slab.cell[:2]]
    unit = slab.cell[:2] / np.array(given)[:, None]
    options = sorted(
        product(range(1, MOST_REPEATS * max(given) + 1), repeat=2), key=lambda nm: (nm[0] * nm[1], max(nm))
    )
    for n, m in options:
        if not len(molecules.translations(unit * [[n], [m]], room - 1e-9)):
            if given == [1, 1]:
                return f"give the slab repeated {n} x {m}"
            return f"give the surface as {n} x {m} (here it is {given[0]} x {given[1]})"
    return "give a larger slab"


def _repeats(slab: Structure, vector: Floats) -> int:
    """Into how many equal parts the slab can be cut along a lattice vector."""
    inverse = np.linalg.inv(slab.cell)
    for parts in range(MOST_REPEATS, 1, -1):
        offsets = slab.positions[None] - slab.positions[:, None] - vector / parts
        fractions = offsets @ inverse
        apart = np.linalg.norm((fractions - np.round(fractions)) @ slab.cell, axis=-1)
        if (apart + np.where(slab.numbers[:, None] == slab.numbers, 0.0, np.inf) < _SAME_PLACE).any(axis=1).all():
            return parts
    return 1


def _check_pieces(numbers: Integers, positions: Floats, atoms: Integers, hint: str, field: str) -> None:
    """atoms: what these are called, [n]."""
    pieces = molecules.pieces(molecules.bonds(numbers, positions))
    if len(pieces) > 1:
        named = "; ".join(
            f"{Atoms(numbers=numbers[piece]).get_chemical_formula()} ({_indices(atoms[piece])})" for piece in pieces[:5]
        ) + ("; ..." if len(pieces) > 5 else "")
        raise InvalidInput(f"the adsorbate is in {len(pieces)} pieces that no bond joins: {named}. {hint}", field=field)


def _pair(contact: Contact, numbers: Integers, atoms: Integers) -> str:
    named = [f"{atoms[index]} ({chemical_symbols[numbers[index]]})" for index in (contact.first, contact.second)]
    return f"atoms {named[0]} and {named[1]}" if contact.first != contact.second else f"atom {named[0]} and itself"


def _atoms(numbers: Integers, atoms: Integers) -> str:
    named = [f"{atom} ({chemical_symbols[number]})" for number, atom in zip(numbers, atoms, strict=False)]
    return f"atom {named[0]} is" if len(named) == 1 else f"atoms {', '.join(named[:5])} are"


def _indices(atoms: Integers) -> str:
    shown = ", ".join(str(atom) for atom in atoms[:6].tolist())
    return f"atom{'s' if len(atoms) > 1 else ''} {shown}{', ...' if len(atoms) > 6 else ''}"


def _up(length: float) -> float:
    return float(np.ceil(10 * length - 1e-6) / 10)
