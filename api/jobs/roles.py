"""What the tags of a structure say: the one place where it is decided, for files, arrays and Atoms alike.

OC20's tags are 0 subsurface, 1 surface, 2 adsorbate. ASE's surface builders number layers instead, 1 at the top and growing
downwards, with 0 for adsorbates. Which of the two a set of tags is, heights tell: OC20's adsorbate lies above its surface, a second
layer below the first. What is neither is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.parsing.pool import Parsed
from shared.errors import InvalidInput
from shared.references import COVERED
from shared.slabs import gathered
from shared.structures import Floats, Integers, Mask, Structure

SUBSURFACE, SURFACE, ADSORBATE = 0, 1, 2
_CONVENTIONS = (
    "OC20 tags are 0 subsurface, 1 surface, 2 adsorbate; ASE's surface builders number layers instead: "
    "leave tags out, or set OC20's"
)
_FOUND = "the surface is found from the geometry"
_LAYER = 0.5
"""Least distance of two layers, Å."""
_MOST_NAMED = 8


@dataclass(frozen=True)
class Roles:
    """OC20's tags, and what there is to say about how they came about."""

    tags: Integers
    """[n_atoms]."""
    notes: list[str]


def of_slab(parsed: Parsed, field: str) -> Roles:
    """Roles of a clean slab's atoms. Raises InvalidInput for tags that mark an adsorbate, or that are of no known kind."""
    tags, numbers = _tags(parsed), np.array(parsed.numbers, dtype=np.int64)
    heights = _heights(parsed)
    if _layers(tags, heights, numbers):
        return Roles(np.zeros_like(tags), _layers_noted(tags, heights))
    strange = _strange(tags, (SUBSURFACE, SURFACE))
    if strange == [ADSORBATE]:
        raise InvalidInput(
            f"the slab holds atoms of tag 2, which marks an adsorbate (atoms {_named(tags == ADSORBATE)}): leave the adsorbate "
            f"out, or submit the whole as an adslab. {_CONVENTIONS}",
            field=field,
        )
    _refuse(strange, field)
    return _surface(tags, heights, numbers)


def of_adslab(parsed: Parsed, indices: Sequence[int] | None, field: str) -> Roles:
    """Roles of an adslab's atoms; the adsorbate is that of `indices`, or OC20's tag 2. Raises InvalidInput where nothing, or
    contradicting things, say which atoms it is."""
    tags, numbers = _tags(parsed), np.array(parsed.numbers, dtype=np.int64)
    heights = _heights(parsed)
    if indices is not None:
        return _around(_mask(indices, len(tags)), tags, numbers, heights, field)
    if _layers(tags, heights, numbers):
        above = tags == 0
        hint = f" (atoms {_named(above)} have tag 0: are they the adsorbate?)" if above.any() else ""
        raise InvalidInput(
            "the tags count layers, as ASE's surface builders number layers; they don't say which atoms are the adsorbate: give "
            f"adsorbate_indices{hint}, or OC20 tags, with 2 on its atoms",
            field=field,
        )
    _refuse(_strange(tags, (SUBSURFACE, SURFACE, ADSORBATE)), field)
    slab = tags != ADSORBATE
    if slab.all() or not slab.any():
        return Roles(tags, [])  # refused in words of their own (api.jobs.validation)
    return _put(tags, slab, _surface(tags[slab], heights[slab], numbers[slab], np.flatnonzero(slab)))


def _around(adsorbate: Mask, tags: Integers, numbers: Integers, heights: Floats, field: str) -> Roles:
    """Roles where the adsorbate is named by its indices: the other tags may still tell the surface."""
    slab = ~adsorbate
    strayed = slab & (tags == ADSORBATE)
    if _layers(tags[slab], heights[slab], numbers[slab]):
        roles = Roles(np.zeros_like(tags[slab]), _layers_noted(tags[slab], heights[slab]))
        return _put(np.full_like(tags, ADSORBATE), slab, roles)
    if strayed.any():
        raise InvalidInput(
            f"adsorbate_indices and tags contradict each other: atoms {_named(strayed)} have tag 2, which marks an adsorbate, and "
            f"are not among the indices. {_CONVENTIONS}",
            field=field,
        )
    _refuse(_strange(tags[slab], (SUBSURFACE, SURFACE)), field)
    roles = _surface(tags[slab], heights[slab], numbers[slab], np.flatnonzero(slab))
    return _put(np.full_like(tags, ADSORBATE), slab, roles)


def _put(tags: Integers, slab: Mask, roles: Roles) -> Roles:
    """Roles of the slab's atoms put back among the others."""
    whole = tags.copy()
    whole[slab] = roles.tags
    return Roles(whole, roles.notes)


def _surface(tags: Integers, heights: Floats, numbers: Integers, atoms: Integers | None = None) -> Roles:
    """Roles of a slab with OC20's 0 and 1. atoms: the indices by which the user knows them [n]."""
    atoms = np.arange(len(tags)) if atoms is None else atoms
    surface = tags == SURFACE
    if not surface.any() or surface.all():
        return Roles(tags, [])
    hanging = heights[surface].mean() < heights[~surface].mean()
    if hanging and not _molecular(numbers[~surface], numbers[surface]):
        heights = -heights  # it looks against the third lattice vector
    above = ~surface & (heights > heights[surface].max() + 0.1)
    if not above.any():
        return Roles(tags, [])
    return Roles(
        np.where(above, SURFACE, tags),
        [f"atoms {_named(above, atoms)} have tag 0 (subsurface) and lie above all of tag 1: taken as surface atoms"],
    )


def _layers(tags: Integers, heights: Floats, numbers: Integers) -> bool:
    """Whether these are layer numbers: 1, 2, ... n, one above the other from either side. Two layers are told from OC20's surface and
    adsorbate by the first lying on top, and by the second being no molecule: an adsorbate may hang from a surface that looks down."""
    layers = sorted({int(tag) for tag in tags} - {0})
    if len(layers) < 2 or layers != list(range(1, len(layers) + 1)):
        return False
    if len(layers) == 2:
        first, second = tags == 1, tags == 2
        on_top = heights[second].max() < heights[first].min() - _LAYER
        return bool(on_top) and not _molecular(numbers[second], numbers[first])
    steps = np.diff([heights[tags == layer].mean() for layer in layers])
    return bool((steps < 0).all() or (steps > 0).all())


def _molecular(numbers: Integers, surface: Integers) -> bool:
    """Whether atoms of these elements are rather an adsorbate than a layer below this surface."""
    elements = set(numbers.tolist())
    return elements <= COVERED and not elements <= set(surface.tolist())


def _layers_noted(tags: Integers, heights: Floats) -> list[str]:
    upwards = heights[tags == 1].mean() < heights[tags == 2].mean()
    side = ", from below" if upwards else ""
    notes = [f"the tags count layers{side}, as ASE's surface builders number them, and are not read: {_FOUND}"]
    if (tags == 0).any():
        notes.append(f"atoms {_named(tags == 0)} have no layer (tag 0): taken as part of the slab")
    return notes


def _tags(parsed: Parsed) -> Integers:
    return np.array(parsed.tags if parsed.tags is not None else [0] * len(parsed.numbers), dtype=np.int64)


def _heights(parsed: Parsed) -> Floats:
    """Along the normal, on the side of the third lattice vector, the slab in one piece, Å [n_atoms]; along z where the cell spans no
    surface."""
    positions = np.array(parsed.positions, dtype=np.float64).reshape(-1, 3)
    none = np.zeros(len(positions), dtype=np.int64)
    cell = np.array(parsed.cell, dtype=np.float64)
    usable = np.isfinite(positions).all() and np.isfinite(cell).all()  # what isn't is refused in words of its own
    if not usable or not np.linalg.norm(np.cross(cell[0], cell[1])) > 0:
        return np.nan_to_num(positions[:, 2])
    given = Structure.from_tags(
        numbers=parsed.numbers, positions=positions, cell=cell, pbc=parsed.pbc, tags=none, fixed=none
    )
    return (gathered(given) if abs(float(np.linalg.det(cell))) > 0 else given).heights


def _mask(indices: Sequence[int], n_atoms: int) -> Mask:
    if any(index >= n_atoms for index in indices) or len(set(indices)) != len(indices):
        raise InvalidInput(
            f"adsorbate_indices must be different indices below {n_atoms}, counted from 0",
            field="input.adsorbate_indices",
        )
    mask = np.zeros(n_atoms, dtype=bool)
    mask[list(indices)] = True
    return mask


def _strange(tags: Integers, known: tuple[int, ...]) -> list[int]:
    return sorted({int(tag) for tag in tags} - set(known))


def _refuse(strange: list[int], field: str) -> None:
    if strange:
        raise InvalidInput(f"tags {strange[:_MOST_NAMED]} are not OC20 tags. {_CONVENTIONS}", field=field)


def _named(mask: Mask, atoms: Integers | None = None) -> str:
    """Indices of these atoms, the first few."""
    found = np.flatnonzero(mask) if atoms is None else atoms[mask]
    shown = ", ".join(str(index) for index in found[:_MOST_NAMED])
    return shown + (f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else "")
