"""Constants per element: found again from made-up labels, not moved by a few that are far off, refused where labels can't tell."""

import numpy as np
import pytest

from services.scoring.constants import fit, held_out
from shared.errors import InvalidInput

CONSTANTS = np.array([-3.4, -8.1, -7.2])
COUNTS = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 0], [1, 1, 0], [2, 1, 0], [1, 0, 1], [0, 2, 1], [3, 1, 0]])


def test_constants_are_found_again():
    assert fit(COUNTS, COUNTS @ CONSTANTS) == pytest.approx(CONSTANTS, abs=1e-6)


def test_hydrogen_alone_by_hand():
    # two labels, 0.1 eV apart: the constant is their mean
    assert fit(np.array([[1], [1]]), np.array([-3.4, -3.5])) == pytest.approx([-3.45], abs=1e-6)


def test_one_metal_that_is_wrong_by_volts_does_not_move_the_others():
    counts = np.tile(COUNTS, (5, 1))
    differences = counts @ CONSTANTS
    differences[:2] += 5.0
    assert fit(counts, differences) == pytest.approx(CONSTANTS, abs=0.05)
    assert np.abs(np.linalg.lstsq(counts, differences, rcond=None)[0] - CONSTANTS).max() > 0.2


def test_a_group_has_no_part_in_its_own_constants():
    counts = np.tile(COUNTS, (3, 1))
    groups = np.repeat(["Pt", "Cu", "Ni"], len(COUNTS))
    differences = counts @ CONSTANTS
    differences[groups == "Ni"] += 1.0
    errors = held_out(counts, differences, groups.tolist())
    assert errors[groups == "Ni"] == pytest.approx(1.0, abs=1e-5)
    shifted = differences.copy()
    shifted[groups == "Pt"] += counts[groups == "Pt"] @ np.array([9.0, -4.0, 2.0])
    moved = held_out(counts, shifted, groups.tolist())
    assert moved[groups == "Pt"] - errors[groups == "Pt"] == pytest.approx(
        counts[groups == "Pt"] @ np.array([9.0, -4.0, 2.0]), abs=1e-5
    )


def test_an_element_that_no_other_group_has_is_not_guessed():
    counts = np.array([[1, 0], [1, 0], [2, 0], [1, 1]])
    errors = held_out(counts, counts @ CONSTANTS[:2], ["Pt", "Cu", "Cu", "Ni"])
    assert np.isnan(errors[3])
    assert errors[:3] == pytest.approx([0, 0, 0], abs=1e-6)


def test_labels_that_cannot_tell_elements_apart_are_refused():
    with pytest.raises(InvalidInput, match="compositions"):
        fit(np.array([[1, 1], [2, 2]]), np.array([-1.0, -2.0]))
    with pytest.raises(InvalidInput, match="0 labels"):
        fit(np.zeros((0, 2), dtype=int), np.zeros(0))
