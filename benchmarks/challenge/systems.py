"""What is learned from, and what is searched: surfaces of four fcc metals and their disordered alloys, molecules of H, C and O.

Tested are systems that no label is of, in three kinds as OC20-Dense has them: both the surface and the molecule known from other
systems; an alloy that no label is of; a molecule that no label is of. Nothing else is held apart: elements are the same.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from benchmarks.systems import Case
from shared.adsorbates import lookup

METALS = ("Cu", "Ag", "Pd", "Pt")
FACES = ("111", "100", "211")
ADSORBATES = (
    *("*H", "*O", "*C", "*OH", "*CO", "*CH", "*OH2", "*CH2", "*CHO", "*COH", "*CH3"),
    *("*CH2*O", "*OCH3", "*OCHO", "*CCO", "*CCH", "*OOH"),
)
"""Of labelled systems."""
SMALL_MOLECULE = 3
"""Atoms: up to so many fit into a small cell; half of the molecules of just so many are put into a large one all the same, as all
larger ones are: the networks are tested in large cells."""
SMALL = {"111": (2, 2, 3), "100": (2, 2, 3), "211": (3, 2, 3)}
PER_METAL, PER_ALLOY = 6, 3
"""Labelled systems of each surface."""
ALLOY_FACES = 2
"""Of each labelled alloy."""
TESTED_ALLOYS = (("Cu", "Pd"), ("Pd", "Ag"), ("Pt", "Cu"), ("Ag", "Pt"), ("Ag", "Cu"))
"""No label is of these; of the same two metals the other way round there may be."""

KNOWN = (
    *(("Pt", "111", "*CHO"), ("Cu", "111", "*OCH3"), ("Pd", "111", "*CCO"), ("Ag", "111", "*OCHO")),
    *(("Cu", "211", "*OCHO"), ("Pt", "211", "*CH2"), ("Pd", "100", "*CH2*O"), ("Pt", "100", "*OH2")),
    *(("Pd", "211", "*COH"), ("Cu", "100", "*CHO"), ("Ag", "100", "*OCH3"), ("Ag", "211", "*CO")),
)
ALLOYS = (
    *(("Cu", "Pd", "111", "*CO"), ("Pd", "Ag", "111", "*CHO"), ("Pt", "Cu", "111", "*OH"), ("Ag", "Pt", "111", "*CH2")),
    *(("Ag", "Cu", "100", "*OCH3"), ("Cu", "Pd", "100", "*OCHO"), ("Pt", "Cu", "211", "*CHO")),
    *(("Pd", "Ag", "100", "*CH2*O"), ("Cu", "Pd", "211", "*OH2"), ("Ag", "Pt", "100", "*COH")),
    *(("Pt", "Cu", "100", "*CH3"), ("Pd", "Ag", "211", "*CCO")),
)
MOLECULES = (
    *(("Pt", "111", "*COOH"), ("Cu", "111", "*CHOH"), ("Pd", "111", "*CH2OH"), ("Pt", "100", "*CHCO")),
    *(("Ag", "111", "*COOH"), ("Ag", "211", "*CH2OH"), ("Cu", "100", "*CH*CH"), ("Pd", "211", "*CHOH")),
    *(("Pt", "211", "*CCH2"), ("Cu", "211", "*COOH"), ("Pd", "100", "*CHCO"), ("Pt", "111", "*CH2CH3")),
)


def by_kind() -> dict[str, tuple[Case, ...]]:
    """The systems that are searched, by kind. Kinds alternate in `in_turn`."""
    return {
        "known surface and molecule": tuple(Case(*one) for one in KNOWN),
        "alloy never seen": tuple(Case(metal, face, name, guest=guest) for metal, guest, face, name in ALLOYS),
        "molecule never seen": tuple(Case(*one) for one in MOLECULES),
    }


def in_turn() -> list[Case]:
    """All of them, a kind after the other, so that the first few are of every kind."""
    return [case for three in zip(*by_kind().values(), strict=True) for case in three]


def labelled(seed: int = 0) -> list[Case]:
    """The systems that the teacher labels, in an order drawn at random: however many are labelled, they are of all kinds."""
    chance = np.random.default_rng(seed)
    held_out = {(case.surface, case.adsorbate) for case in in_turn()}
    alloys = [pair for pair in permutations(METALS, 2) if pair not in TESTED_ALLOYS]
    surfaces: list[tuple[str, str | None, str, int]] = [
        (metal, None, face, PER_METAL) for metal in METALS for face in FACES
    ]
    surfaces += [
        (*alloy, face, PER_ALLOY)
        for alloy in alloys
        for face in chance.choice(FACES, size=ALLOY_FACES, replace=False).tolist()
    ]
    made = []
    for metal, guest, face, count in surfaces:
        names = [
            name
            for name in chance.permutation(ADSORBATES).tolist()
            if (Case(metal, face, name, guest=guest).surface, name) not in held_out
        ]
        for name in names[:count]:
            atoms = len(lookup(name).numbers)
            large = atoms > SMALL_MOLECULE or (atoms == SMALL_MOLECULE and chance.uniform() < 0.5)
            made.append(Case(metal, face, name, None if large else SMALL[face], guest))
    return [made[index] for index in chance.permutation(len(made)).tolist()]
