"""CIF: one structure, its sites whole and of one element each. ASE expands the symmetry."""

from __future__ import annotations

import re
import warnings
from io import StringIO
from typing import Any

from ase.io.cif import CIFBlock, parse_cif

from api.parsing.elements import Elements
from api.parsing.reading import Reading, disordered
from shared.errors import InvalidInput

_TYPE, _LABEL = "_atom_site_type_symbol", "_atom_site_label"
_WHOLE = 1e-3
"""How far an occupancy may be from 1."""
_UNKNOWN = (".", "?")


def read(text: str, max_atoms: int) -> Reading:
    """The text's one structure. Raises InvalidInput for several, and for sites that are shared or partly occupied."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        blocks = [block for block in parse_cif(StringIO(text), "ase") if block.has_structure()]
        if not blocks:
            raise InvalidInput("the text can't be read as cif: it names no atomic sites with coordinates")
        if len(blocks) > 1:
            names = ", ".join(f"data_{block.name}"[:40] for block in blocks[:8])
            raise InvalidInput(f"the CIF holds {len(blocks)} structures ({names}): send the one you mean")
        tags: dict[str, Any] = dict(blocks[0])
        sites = _names(tags)
        _refuse_partial(tags, sites)
        elements = Elements()
        symbols = _symbols(tags, sites, elements)
        atoms = CIFBlock(blocks[0].name, tags | {_TYPE: symbols}).get_atoms(fractional_occupancies=False)
    _refuse_equivalent(said, sites, symbols)
    atoms.pbc = True
    notes = elements.notes
    notes += [f"reading the CIF: {reason}" for reason in dict.fromkeys(map(_reason, said)) if reason]
    if any(key.startswith("_atom_site_moment") for key in tags):
        notes.append("not used: magnetic moments; the members take no spins")
    return Reading(atoms, None, None, notes)


def _reason(warning: warnings.WarningMessage) -> str:
    if issubclass(warning.category, DeprecationWarning | PendingDeprecationWarning | FutureWarning):
        return ""
    return " ".join(str(warning.message).split())[:200]


def _listed(tags: dict[str, Any], key: str) -> list[Any]:
    """A column of the loop of sites; a value outside any loop is a column of one."""
    values = tags.get(key, [])
    return list(values) if isinstance(values, list | tuple) else [values]


def _names(tags: dict[str, Any]) -> list[str]:
    """What to call each site: its label."""
    found = _listed(tags, _LABEL) or _listed(tags, _TYPE)
    return [str(name)[:20] for name in found]


def _refuse_partial(tags: dict[str, Any], sites: list[str]) -> None:
    shares = _listed(tags, "_atom_site_occupancy")
    partial = []
    for site, share in zip(sites, shares, strict=False):
        if share in _UNKNOWN:
            continue
        if not isinstance(share, int | float):
            raise InvalidInput(f"the occupancy of site {site} is no number: {str(share)[:20]!r}")
        if abs(share - 1) > _WHOLE:
            partial.append(f"{site} (occupancy {share:g})")
    groups = _listed(tags, "_atom_site_disorder_group")
    partial += [
        f"{site} (disorder group {group})"
        for site, group in zip(sites, groups, strict=False)
        if str(group) not in (*_UNKNOWN, "0")
    ]
    if partial:
        raise InvalidInput(disordered(partial))
    hydrogens = _listed(tags, "_atom_site_attached_hydrogens")
    lacking = [site for site, n in zip(sites, hydrogens, strict=False) if isinstance(n, int | float) and n > 0]
    if lacking:
        raise InvalidInput(
            f"sites {', '.join(lacking[:8])} have attached hydrogens without positions: give each hydrogen as a site"
        )


def _symbols(tags: dict[str, Any], sites: list[str], elements: Elements) -> list[str]:
    """The element of each site."""
    words = _listed(tags, _TYPE)
    if words:
        return [elements.symbol(str(word), f"site {site}") for word, site in zip(words, sites, strict=True)]
    return [elements.symbol(_letters(label), f"site {label}") for label in sites]


def _letters(label: str) -> str:
    """The part of a label that names the element: `Pt` of `Pt1`, `O` of `O2A`. Raises InvalidInput where it could be two."""
    match = re.match(r"([A-Z][a-z]?)(\d*[+-])?", label)
    if match is None:
        return label
    if len(label) > 1 and label[0].isupper() and label[1].isupper() and Elements.is_symbol(label[:2].capitalize()):
        raise InvalidInput(
            f"site {label} may be {label[0]} or {label[:2].capitalize()}: name the elements in a column {_TYPE}"
        )
    letters = match.group(1)
    if not Elements.is_symbol(letters) and Elements.is_symbol(letters[0]):
        return letters[0] + "1"  # a label of that element, and said to be one
    return letters + (match.group(2) or "")


def _refuse_equivalent(said: list[warnings.WarningMessage], sites: list[str], symbols: list[str]) -> None:
    """Raise InvalidInput where two sites, symmetry counted, are the same place: ASE keeps the first, and warns."""
    for warning in said:
        match = re.search(r"scaled_positions (\d+) and (\d+) are equivalent", str(warning.message))
        if match is not None:
            first, second = (int(index) for index in match.groups())
            if symbols[first] != symbols[second]:
                raise InvalidInput(disordered([f"{sites[first]} and {sites[second]} at one place"]))
            raise InvalidInput(
                f"sites {sites[first]} and {sites[second]} are the same place by the symmetry that the CIF states: list each site "
                "once"
            )
