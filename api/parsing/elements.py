"""Which element a word of a structure file means: isotopes, charges and labels are taken off, and it is said."""

from __future__ import annotations

import re

from ase.data import atomic_numbers

from shared.errors import InvalidInput

_ISOTOPES = {"D": "H", "T": "H"}
_MASS = re.compile(r"\d{1,3}([A-Z][a-z]?)")
_CHARGE = re.compile(r"([A-Z][a-z]?)(?:\d*[+-]|[+-]\d+)")
_POTENTIAL = re.compile(r"([A-Z][a-z]?)[_/][\w./-]*")
_LABEL = re.compile(r"([A-Z][a-z]?)\d{1,4}")
_WHY = {
    "isotope": "isotopes have the energies of their element",
    "charge": "the members compute neutral systems and take no charges",
    "label": "the rest is taken for a label",
    "spelling": "",
}


class Elements:
    """Reads the words of one text and remembers what there was to say."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = {}

    def symbol(self, word: str, place: str) -> str:
        """The element. Raises InvalidInput, with the place, where the word is none."""
        found = self._read(word)
        if found is None or atomic_numbers.get(found, 0) < 1:  # X is number 0: nothing
            raise InvalidInput(f"{place}: {word[:40]!r} is no element")
        return found

    @staticmethod
    def is_symbol(word: str) -> bool:
        """Whether it is an element's symbol, or D or T, as it stands."""
        return word in _ISOTOPES or atomic_numbers.get(word, 0) >= 1

    def _read(self, word: str) -> str | None:
        if word in atomic_numbers:
            return word
        if word in _ISOTOPES:
            return self._say("isotope", word, _ISOTOPES[word])
        for kind, pattern in (("isotope", _MASS), ("charge", _CHARGE), ("label", _POTENTIAL), ("label", _LABEL)):
            match = pattern.fullmatch(word)
            if match is not None:
                symbol = _ISOTOPES.get(match.group(1), match.group(1))
                return self._say("isotope" if match.group(1) in _ISOTOPES else kind, word, symbol)
        spelled = word.capitalize()
        return self._say("spelling", word, spelled) if len(word) <= 2 and spelled in atomic_numbers else None

    def _say(self, kind: str, word: str, symbol: str) -> str:
        said = f"{word} as {symbol}"
        if said not in self._said.setdefault(kind, []):
            self._said[kind].append(said)
        return symbol

    @property
    def notes(self) -> list[str]:
        """Sentences such as `D as H: isotopes ...`."""
        notes = []
        for kind, said in self._said.items():
            shown = ", ".join(said[:8]) + (", …" if len(said) > 8 else "")
            notes.append(f"read {shown}" + (f": {_WHY[kind]}" if _WHY[kind] else ""))
        return notes
