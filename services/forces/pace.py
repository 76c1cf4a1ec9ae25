"""How long a forward takes for how many atoms, as learnt from the last ones: so much for each forward, and so much for each atom."""

from __future__ import annotations

from math import inf

_MEMORY = 0.9
"""Weight of a forward against that of the next one."""
_SPREAD = 0.05
"""Relative spread of sizes below which they tell nothing of what an atom takes."""


class Pace:
    """Before the first forward nothing is known; while all are of one size, the time counts as the atoms'."""

    def __init__(self) -> None:
        self._n = self._x = self._y = self._xx = self._xy = 0.0

    @property
    def known(self) -> bool:
        return self._n > 0

    def learn(self, atoms: int, seconds: float) -> None:
        """A forward of so many atoms took so long."""
        kept = (self._n, self._x, self._y, self._xx, self._xy)
        new = (1.0, float(atoms), seconds, float(atoms) ** 2, atoms * seconds)
        self._n, self._x, self._y, self._xx, self._xy = (
            _MEMORY * old + one for old, one in zip(kept, new, strict=True)
        )

    def seconds(self, atoms: float) -> float:
        """What a forward of so many atoms will take, s."""
        base, each = self._fit()
        return base + each * atoms

    def atoms_in(self, seconds: float) -> float:
        """Most atoms of a forward that takes no longer; without bound where atoms cost nothing, none where nothing is known."""
        if not self.known:
            return 0.0
        base, each = self._fit()
        return (seconds - base) / each if each > 0 else inf

    def _fit(self) -> tuple[float, float]:
        """Least squares over the last forwards, neither part negative: s a forward, s an atom."""
        x, y = self._x / self._n, self._y / self._n
        spread = self._xx / self._n - x * x
        if spread <= (_SPREAD * x) ** 2:
            return 0.0, y / x
        each = max(0.0, (self._xy / self._n - x * y) / spread)
        base = y - each * x
        return (base, each) if base > 0 else (0.0, y / x)
