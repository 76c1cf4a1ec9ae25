"""From a text to atoms, in the child process: one reader for each format. None of them ever sees a file name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from api.parsing import ase_json, cif, declared, extxyz, poscar
from api.parsing.reading import Reading
from shared.errors import InvalidInput
from shared.structures import Mask, Structure

SAME_CELL = 1e-4
"""Å: lattice vectors of one system differ by less."""
ONE_SYSTEM = (
    "structures that are scored together have the same atoms in the same order and the same cell: submit another system as "
    "another job"
)
_READERS: dict[str, Callable[[str, int], Reading]] = {
    "extxyz": extxyz.read,
    "poscar": poscar.read,
    "cif": cif.read,
    "ase-json": ase_json.read,
}


def document(form: str, text: str, max_atoms: int) -> dict[str, Any]:
    """`Structure.to_document()` of the text's structure, with the tags as they came, or None where it has none, and with `notes`:
    what was ignored, simplified or decided.

    Raises InvalidInput for whatever the text does wrong.
    """
    with _reading(form):
        return _plain(_READERS[form](_checked(form, text, max_atoms), max_atoms))


def documents(form: str, text: str, max_atoms: int) -> dict[str, Any]:
    """The same of all frames of a text that are one system: of the first one, with `labels`, what each is called or None, and with
    `all_positions`: Å [n, n_atoms, 3] as little-endian doubles in base64, which a thousand structures are read back from at once.

    Raises InvalidInput, with the frame, where one is not of the first one's atoms in their order, its cell, or its roles.
    """
    with _reading(form):
        text = _checked(form, text, max_atoms)
        frames = extxyz.read_all(text, max_atoms) if form == "extxyz" else [(_READERS[form](text, max_atoms), None)]
        first = frames[0][0]
        for number, (reading, called) in enumerate(frames):
            _check_like(first, reading, f"frame {number}" + (f" ({called[:60]})" if called else ""))
        positions = np.array([reading.atoms.positions for reading, _ in frames], dtype="<f8")
        notes = list(dict.fromkeys(note for reading, _ in frames for note in reading.notes))
        return _plain(first) | {
            "notes": notes,
            "labels": [called for _, called in frames],
            "all_positions": base64.b64encode(positions.tobytes()).decode(),
        }


def _checked(form: str, text: str, max_atoms: int) -> str:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")  # as spreadsheets and Windows write
    declared.check(form, text, max_atoms)
    return text


@contextmanager
def _reading(form: str) -> Iterator[None]:
    """Parsers of foreign text raise anything."""
    try:
        yield
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InvalidInput(f"the text can't be read as {form}: {reason or type(error).__name__}") from error


def _plain(reading: Reading) -> dict[str, Any]:
    nobody = np.zeros(len(reading.atoms), dtype=bool)
    structure = Structure.from_atoms(reading.atoms, adsorbate=nobody, surface=nobody)
    plain = structure.with_roles(fixed=nobody if reading.fixed is None else reading.fixed).to_document()
    _check_elements(plain["numbers"])
    return plain | {"tags": reading.tags, "notes": reading.notes}


def _check_like(first: Reading, other: Reading, name: str) -> None:
    """The two differ in nothing but positions."""
    one, two = first.atoms, other.atoms
    if len(two) != len(one) or (one.numbers != two.numbers).any():
        how = f"is {two.get_chemical_formula()}, the first one {one.get_chemical_formula()}"
        different = (
            how if sorted(one.numbers) != sorted(two.numbers) else "has its atoms in another order than the first one"
        )
        raise InvalidInput(f"{name} {different}; {ONE_SYSTEM}")
    if not np.allclose(one.cell.array, two.cell.array, atol=SAME_CELL, rtol=0.0) or (one.pbc != two.pbc).any():
        raise InvalidInput(f"{name} has another cell than the first one; {ONE_SYSTEM}")
    if first.tags != other.tags or (_mask(first) != _mask(other)).any():
        raise InvalidInput(f"{name} marks other atoms, by tags or as fixed, than the first one; {ONE_SYSTEM}")


def _mask(reading: Reading) -> Mask:
    return np.zeros(len(reading.atoms), dtype=bool) if reading.fixed is None else np.asarray(reading.fixed, dtype=bool)


def _check_elements(numbers: list[int]) -> None:
    unknown = sorted({number for number in numbers if not 1 <= number < len(chemical_symbols)})
    if unknown:
        raise InvalidInput(f"atomic numbers {unknown[:5]} are no elements")
