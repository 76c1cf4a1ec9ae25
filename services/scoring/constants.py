"""Energies per atom that put a member's adsorption energies on DFT's scale: E_ads = E(adslab) - E(slab) - Σ n_i μ_i.

What a member says of a gas molecule needn't fit what it says of that molecule's atoms on a surface: one trained on bulk
crystals never saw a molecule. Constants fitted to labels by DFT take the place of its own molecules; they can't mend what
differs from one metal to the next. Fitted elemental energies as in Stevanović et al., Phys. Rev. B 85, 115104 (2012),
doi:10.1103/PhysRevB.85.115104.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import least_squares

from shared.errors import InvalidInput
from shared.structures import Floats, Integers, Mask

SCALE = 0.2
"""eV: residuals beyond it count by their size, not by their square (Huber), so that a few metals that a member has wrong by eV don't
move what holds for the others."""


def fit(counts: Integers, differences: Floats) -> Floats:
    """The constants, eV an atom [n_elements].

    counts: atoms of each element in each adsorbate [n_labels, n_elements]. differences: E(adslab) - E(slab) by the member, less the
    label, eV [n_labels]. Raises InvalidInput where the labels don't tell the elements apart.
    """
    rank = np.linalg.matrix_rank(counts) if len(counts) else 0
    if rank < counts.shape[1]:
        raise InvalidInput(
            f"{len(counts)} labels of too few compositions: constants of {counts.shape[1]} elements need adsorbates of that many "
            f"independent compositions, and these have {rank}"
        )
    start = np.linalg.lstsq(counts.astype(np.float64), differences, rcond=None)[0]

    def residuals(constants: Floats) -> Floats:
        return np.asarray(counts @ constants - differences)

    solved = least_squares(residuals, start, loss="huber", f_scale=SCALE, xtol=1e-10, ftol=1e-12)
    return np.asarray(solved.x)


def held_out(counts: Integers, differences: Floats, groups: Sequence[str]) -> Floats:
    """Errors against the labels, eV [n_labels], each with constants that its group had no part in: all labels of its metal, say. NaN
    where the other groups' labels don't tell the elements apart."""
    names = np.asarray(groups)
    errors = np.full(len(differences), np.nan)
    for name in np.unique(names):
        out = names == name
        elements = counts[out].any(axis=0)
        try:
            constants = _fit_of(counts[~out], differences[~out], elements)
        except InvalidInput:
            continue
        errors[out] = differences[out] - counts[out] @ constants
    return errors


def _fit_of(counts: Integers, differences: Floats, needed: Mask) -> Floats:
    """Constants of the elements that occur; zero for those that neither occur nor are needed."""
    there = counts.any(axis=0) | needed
    constants = np.zeros(counts.shape[1])
    constants[there] = fit(counts[:, there], differences)
    return constants
