"""Cautions hold where all of their conditions do, and name the members once each."""

import pytest
from pydantic import ValidationError

from shared.cautions import Caution, said

MIXED = {"says": "mixed", "elements": ["O", "F"], "meeting": ["Ni", "Co"]}
ALWAYS = {"says": "no dispersion"}
SPIN = {"says": "unpaired", "adsorbates": ["O2", "OH"]}


@pytest.mark.parametrize(
    ("adslab", "adsorbate", "told"),
    [
        ({"Ni", "O", "C"}, {"C": 1, "O": 1}, ["a, b: mixed", "a: no dispersion"]),
        ({"Ni", "C"}, {"C": 1}, ["a: no dispersion"]),
        ({"Pt", "O"}, {"O": 1}, ["a: no dispersion"]),
        ({"Co", "O", "H"}, {"O": 1, "H": 1}, ["a, b: mixed", "a: no dispersion", "b: unpaired"]),
        ({"Pt", "O", "H"}, {"O": 1, "H": 2}, ["a: no dispersion"]),
    ],
)
def test_conditions(adslab: set[str], adsorbate: dict[str, int], told: list[str]):
    assert said({"a": [MIXED, ALWAYS], "b": [MIXED, SPIN]}, ["a", "b", "a", "c"], adslab, adsorbate) == told


def test_what_no_condition_can_be_is_refused():
    with pytest.raises(ValidationError, match="Xy: no element"):
        Caution(says="x", elements=("Xy",))
