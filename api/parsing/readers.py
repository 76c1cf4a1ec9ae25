"""From a text to atoms, in the child process: one reader for each format. None of them ever sees a file name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from api.parsing import ase_json, cif, declared, extxyz, poscar
from api.parsing.reading import Reading
from shared.errors import InvalidInput
from shared.structures import Structure

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
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")  # as spreadsheets and Windows write
    declared.check(form, text, max_atoms)
    try:
        reading = _READERS[form](text, max_atoms)
        nobody = np.zeros(len(reading.atoms), dtype=bool)
        structure = Structure.from_atoms(reading.atoms, adsorbate=nobody, surface=nobody)
        plain = structure.with_roles(fixed=nobody if reading.fixed is None else reading.fixed).to_document()
        _check_elements(plain["numbers"])
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:  # parsers of foreign text raise anything
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InvalidInput(f"the text can't be read as {form}: {reason or type(error).__name__}") from error
    return plain | {"tags": reading.tags, "notes": reading.notes}


def _check_elements(numbers: list[int]) -> None:
    unknown = sorted({number for number in numbers if not 1 <= number < len(chemical_symbols)})
    if unknown:
        raise InvalidInput(f"atomic numbers {unknown[:5]} are no elements")
