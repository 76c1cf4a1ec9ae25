"""The model card's figures hold: errors against the member that labelled, and a spread that goes with the error."""

import re
from importlib import import_module

import pytest

pytestmark = pytest.mark.potentials


def test_the_card_says_what_is_measured():
    measure = import_module("tests.checkpoints.measure")
    found = measure.figures(measure.frames())
    card = (measure.HERE / "README.md").read_text()
    for name in measure.NAMES:
        energy, force = re.search(rf"`{name}` \| ([0-9.]+) \| ([0-9.]+)", card).groups()
        assert found["energy_mae"][name] == pytest.approx(float(energy), abs=0.002)
        assert found["force_mae"][name] == pytest.approx(float(force), abs=0.002)
        assert found["mean_energy_mae"] < found["energy_mae"][name]
    assert found["spread_pearson"] > 0.35
    assert found["spread_spearman"] > 0.35
    assert found["within_0.1_eV_of_the_half_that_agrees_best"] > found["within_0.1_eV"] + 0.1
