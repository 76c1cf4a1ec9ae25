"""What several members say together of one candidate. One formula each, here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from shared.errors import InvalidInput
from shared.parameters import Spread


@dataclass(frozen=True)
class Summary:
    """eV. std is the sample standard deviation (ddof = 1); std and range are None for fewer than two members."""

    mean: float | None
    std: float | None
    range: float | None
    n: int

    def spread(self, kind: Spread) -> float | None:
        """The measure of disagreement that the job asked for, eV."""
        return self.std if kind is Spread.STD else self.range


def summarise(energies: Mapping[str, float], references: Mapping[str, str]) -> Summary:
    """Mean and spread of the members' adsorption energies, eV, by member.

    Raises InvalidInput where the members' references differ: such numbers have no common scale.
    """
    stated = {references[member] for member in energies}
    if len(stated) > 1:
        raise InvalidInput(f"no spread over different references: {'; '.join(sorted(stated))}")
    values = np.array([energies[member] for member in sorted(energies)], dtype=np.float64)
    if not len(values):
        return Summary(None, None, None, 0)
    mean = float(values.mean())
    if len(values) < 2:
        return Summary(mean, None, None, 1)
    return Summary(mean, float(values.std(ddof=1)), float(np.ptp(values)), len(values))
