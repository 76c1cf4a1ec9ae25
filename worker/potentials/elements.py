"""Sets of elements as people write them: symbols and ranges of symbols."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ase.data import atomic_numbers, chemical_symbols


def parse(words: Iterable[str]) -> frozenset[int]:
    """Atomic numbers of symbols ("Pt") and ranges ("H-Bi"). Raises ValueError with the word that is neither."""
    numbers: set[int] = set()
    for word in words:
        ends = re.fullmatch(r"([A-Z][a-z]?)(?:-([A-Z][a-z]?))?", word)
        first, last = (atomic_numbers.get(end or ends[1], 0) for end in ends.groups()) if ends else (0, 0)
        if not 0 < first <= last:
            raise ValueError(f"{word!r} is no element and no range of them, such as 'Pt' or 'H-Bi'")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def words(numbers: Iterable[int]) -> list[str]:
    """The shortest such list: runs of three or more elements as a range."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    written: list[str] = []
    for run in runs:
        symbols = [chemical_symbols[number] for number in run]
        written += [f"{symbols[0]}-{symbols[-1]}"] if len(run) > 2 else symbols
    return written


OC20 = parse(("H", "B-O", "Na", "Al-Cl", "K-Se", "Rb-Te", "Cs", "Hf-Bi"))
"""The 56 elements of OC20's slabs and adsorbates."""
