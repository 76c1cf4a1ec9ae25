"""The structure that every room passes around: explicit masks instead of tags.

Tags mean different things to different packages (OC20: 0 subsurface, 1 surface, 2 adsorbate; ASE's
builders: layer number from the top, adsorbates 0), and mixing them up fails silently. Inside Adhop
a structure says outright which atoms are adsorbate, surface and fixed; tags are converted at the edges.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from numpy.typing import ArrayLike, NDArray

from shared.errors import InvalidInput

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

_LEVEL = 0.1
"""Å: a marked surface layer whose mean height is no lower than this below that of the other slab atoms doesn't look down."""


def _frozen(values: ArrayLike, dtype: type[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    array = np.array(values, dtype=dtype, order="C")
    if array.shape != shape:
        raise InvalidInput(f"{name} has shape {list(array.shape)}, expected {list(shape)}", field=name)
    array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms with explicit roles. Arrays are read-only copies."""

    numbers: Integers
    """Atomic numbers [n_atoms]."""
    positions: Floats
    """Å [n_atoms, 3]."""
    cell: Floats
    """Rows are lattice vectors, Å [3, 3]."""
    pbc: Mask
    """Periodic along each lattice vector [3]."""
    adsorbate: Mask
    """[n_atoms]."""
    surface: Mask
    """The slab's outermost layer as OC20 marks it [n_atoms]."""
    fixed: Mask
    """Atoms that never move [n_atoms]."""

    def __post_init__(self) -> None:
        n_atoms = np.shape(self.numbers)[0] if np.ndim(self.numbers) == 1 else -1
        if n_atoms < 0:
            raise InvalidInput("numbers must be a flat list of atomic numbers", field="numbers")
        for name, dtype, shape in (
            ("numbers", np.int64, (n_atoms,)),
            ("positions", np.float64, (n_atoms, 3)),
            ("cell", np.float64, (3, 3)),
            ("pbc", np.bool_, (3,)),
            ("adsorbate", np.bool_, (n_atoms,)),
            ("surface", np.bool_, (n_atoms,)),
            ("fixed", np.bool_, (n_atoms,)),
        ):
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype, shape, name))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def free(self) -> Mask:
        """Atoms that may move [n_atoms]."""
        return ~self.fixed

    @property
    def slab(self) -> Mask:
        """Atoms of the slab, surface layer included [n_atoms]."""
        return ~self.adsorbate

    @property
    def normal(self) -> Floats:
        """Unit vector out of the surface, perpendicular to the first two lattice vectors: to the side where the marked surface
        layer lies, or else the third lattice vector [3]."""
        (a, b, c), (d, e, f) = self.cell[:2].tolist()
        normal = np.array([b * f - c * e, c * d - a * f, a * e - b * d])  # np.cross is slow, and this is asked often
        if normal @ self.cell[2] < 0:
            normal = -normal
        normal = normal / np.linalg.norm(normal)
        below = self.slab & ~self.surface
        if self.surface.any() and below.any():
            heights = self.positions @ normal
            if heights[self.surface].mean() < heights[below].mean() - _LEVEL:
                normal = -normal
        return np.asarray(normal, dtype=np.float64)

    @property
    def heights(self) -> Floats:
        """Position of each atom along the surface normal, Å [n_atoms]."""
        return np.asarray(self.positions @ self.normal, dtype=np.float64)

    def moved(self, positions: ArrayLike) -> Structure:
        """The same atoms elsewhere. positions: Å [n_atoms, 3]."""
        # the other arrays were checked and frozen when this one was made
        there = object.__new__(Structure)
        frozen = _frozen(positions, np.float64, (len(self), 3), "positions")
        there.__dict__.update(self.__dict__, positions=frozen)
        there.__dict__.pop("digest", None)
        return there

    def only(self, which: Mask | Integers) -> Structure:
        """The atoms that a mask selects [n_atoms], or those of these indices in their order [n]."""
        return replace(
            self,
            numbers=self.numbers[which],
            positions=self.positions[which],
            adsorbate=self.adsorbate[which],
            surface=self.surface[which],
            fixed=self.fixed[which],
        )

    def with_roles(self, *, surface: ArrayLike | None = None, fixed: ArrayLike | None = None) -> Structure:
        """The same atoms with other masks [n_atoms]; those not given stay."""
        return replace(
            self,
            surface=self.surface if surface is None else np.asarray(surface, dtype=bool),
            fixed=self.fixed if fixed is None else np.asarray(fixed, dtype=bool),
        )

    @property
    def tags(self) -> Integers:
        """OC20 tags: 0 subsurface, 1 surface, 2 adsorbate [n_atoms]."""
        return np.where(self.adsorbate, 2, np.where(self.surface, 1, 0)).astype(np.int64)

    @property
    def formula(self) -> str:
        return str(Atoms(numbers=self.numbers).get_chemical_formula())

    def to_atoms(self) -> Atoms:
        """ASE Atoms with OC20 tags and FixAtoms."""
        atoms = Atoms(numbers=self.numbers, positions=self.positions, cell=self.cell, pbc=self.pbc, tags=self.tags)
        if self.fixed.any():
            atoms.set_constraint(FixAtoms(mask=self.fixed))
        return atoms

    @classmethod
    def from_oc_atoms(cls, atoms: Atoms) -> Structure:
        """From ASE Atoms whose tags are OC20's; raises InvalidInput where they can't be."""
        tags = atoms.get_tags()
        if not np.isin(tags, (0, 1, 2)).all():
            raise InvalidInput(
                f"tags {sorted({int(tag) for tag in tags})} are not OC20 tags (0 subsurface, 1 surface, 2 adsorbate); "
                "ASE's surface builders number layers instead. Give the adsorbate's atom indices, or set OC20 tags.",
                field="tags",
            )
        return cls.from_atoms(atoms, adsorbate=tags == 2, surface=tags == 1)

    @classmethod
    def from_tags(
        cls,
        *,
        numbers: ArrayLike,
        positions: ArrayLike,
        cell: ArrayLike,
        pbc: ArrayLike,
        tags: ArrayLike,
        fixed: ArrayLike,
    ) -> Structure:
        """From arrays, with OC20 tags for the roles [n_atoms]."""
        roles = np.asarray(tags, dtype=np.int64)
        return cls(
            numbers=np.asarray(numbers, dtype=np.int64),
            positions=np.asarray(positions, dtype=np.float64).reshape(-1, 3),
            cell=np.asarray(cell, dtype=np.float64),
            pbc=np.asarray(pbc, dtype=bool),
            adsorbate=roles == 2,
            surface=roles == 1,
            fixed=np.asarray(fixed, dtype=bool),
        )

    @classmethod
    def from_atoms(cls, atoms: Atoms, *, adsorbate: ArrayLike, surface: ArrayLike) -> Structure:
        """From ASE Atoms with the roles given outright; FixAtoms becomes the `fixed` mask."""
        fixed = np.zeros(len(atoms), dtype=bool)
        for constraint in atoms.constraints:
            if not isinstance(constraint, FixAtoms):
                raise InvalidInput(
                    f"constraint {type(constraint).__name__} is not supported: fix whole atoms with FixAtoms",
                    field="constraints",
                )
            fixed[constraint.get_indices()] = True
        return cls(
            numbers=atoms.numbers,
            positions=atoms.positions,
            cell=atoms.cell.array,
            pbc=atoms.pbc,
            adsorbate=np.asarray(adsorbate, dtype=bool),
            surface=np.asarray(surface, dtype=bool),
            fixed=fixed,
        )

    def to_document(self) -> dict[str, Any]:
        """Plain lists for JSON; floats survive the round trip exactly."""
        return {
            "numbers": self.numbers.tolist(),
            "positions": self.positions.tolist(),
            "cell": self.cell.tolist(),
            "pbc": self.pbc.tolist(),
            "tags": self.tags.tolist(),
            "fixed": self.fixed.tolist(),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Structure:
        """Inverse of `to_document`."""
        return cls.from_tags(
            numbers=document["numbers"],
            positions=document["positions"],
            cell=document["cell"],
            pbc=document["pbc"],
            tags=document["tags"],
            fixed=document["fixed"],
        )

    @cached_property
    def topology_digest(self) -> str:
        """SHA-256 over everything but the positions."""
        return self._digest(positions=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the whole content, positions included to the last bit."""
        return self._digest(positions=True)

    def _digest(self, *, positions: bool) -> str:
        hasher = hashlib.sha256()
        parts = [self.numbers, self.cell, self.pbc, self.tags, self.fixed]
        if positions:
            parts.append(self.positions)
        for part in parts:
            little_endian = part.astype(part.dtype.newbyteorder("<"))
            hasher.update(f"{part.dtype.kind}{part.shape}".encode())
            hasher.update(little_endian.tobytes())
        return hasher.hexdigest()
