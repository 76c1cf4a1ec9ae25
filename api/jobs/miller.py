"""Miller indices as people write them: three, or the four (h k i l) of hexagonal crystals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic_core import PydanticCustomError

from shared.errors import InvalidInput

_SAY = "three whole numbers such as [1, 1, 1], or four (h k i l) for a hexagonal crystal"


def checked(value: Any) -> Any:
    """What a request gives, before its entries are looked at. Raises PydanticCustomError for what is no list of three or four."""
    if isinstance(value, str):
        digits = "".join(sign for sign in value if sign.isdigit() or sign in "-")
        meant = ", ".join(_singly(digits))
        hint = f": [{meant}]" if meant and len(meant) < 40 else ""
        raise PydanticCustomError("miller", "give the Miller index as a list of numbers{hint}", {"hint": hint})
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("miller", "a Miller index has {say}", {"say": _SAY})
    if len(value) not in (3, 4):
        raise PydanticCustomError("miller", "a Miller index has {say}, not {n}", {"say": _SAY, "n": len(value)})
    return value


def _singly(digits: str) -> list[str]:
    found: list[str] = []
    sign = ""
    for letter in digits:
        if letter == "-":
            sign = "-"
        else:
            found.append(sign + letter)
            sign = ""
    return found


def of_three(given: Sequence[int], cell: Sequence[Sequence[float]]) -> tuple[tuple[int, int, int], list[str]]:
    """(h k l), and what there is to say. cell: rows are lattice vectors, Å [3, 3].

    Raises InvalidInput for four indices that contradict each other, or of a cell that isn't hexagonal.
    """
    if len(given) == 3:
        return (given[0], given[1], given[2]), []
    h, k, i, last = given
    said = f"({h} {k} {i} {last})"
    if i != -(h + k):
        raise InvalidInput(
            f"four indices are (h k i l) with i = -(h + k), and {said} would need i = {-(h + k)}: correct it, or give three",
            field="input.miller",
        )
    if not _hexagonal(np.array(cell, dtype=float)):
        raise InvalidInput(
            f"four indices {said} are of a hexagonal cell (a = b, 120° between them, c upright), and this one isn't: give three "
            "indices of this cell",
            field="input.miller",
        )
    return (h, k, last), [f"the four indices {said} were read as ({h} {k} {last})"]


def _hexagonal(cell: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    a, b, c = cell
    lengths = np.linalg.norm(cell, axis=1)
    if not (lengths > 0).all():
        return False
    tilt = max(abs(float(a @ c)) / (lengths[0] * lengths[2]), abs(float(b @ c)) / (lengths[1] * lengths[2]))
    return bool(
        abs(lengths[0] / lengths[1] - 1) < 0.01
        and abs(float(a @ b) / (lengths[0] * lengths[1]) + 0.5) < 0.01
        and tilt < 0.01
    )
