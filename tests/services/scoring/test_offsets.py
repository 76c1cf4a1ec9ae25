"""Offsets and rests against cases worked by hand, and against a least-squares fit of the whole design matrix."""

import numpy as np
import pytest

from services.scoring.offsets import decompose, relative_spreads


def all_of(energies):
    return np.ones(len(energies), dtype=bool)


def test_members_that_differ_by_constants_alone_agree_in_all_but_the_offset():
    energies = np.array([[-1.0, -0.5, -1.2], [-0.8, -0.3, -1.0], [0.1, 0.6, -0.1]])
    found = decompose(energies, all_of(energies))
    mean = (0.0 + 0.5 - 0.2) / 3
    assert found.offset == pytest.approx([0.0 - mean, 0.5 - mean, -0.2 - mean])
    assert found.rest == pytest.approx(np.zeros((3, 3)), abs=1e-12)
    assert found.relative == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert found.spread == pytest.approx(np.std([0.0, 0.5, -0.2], ddof=1))
    assert found.n == 3


def test_two_candidates_by_two_members_by_hand():
    # rows' means -1.0 and -0.6; columns' means -0.9 and -0.7; grand mean -0.8, so offsets are -0.1 and +0.1
    # rests: -1.2 + 1.0 + 0.1 = -0.1, -0.8 + 1.0 - 0.1 = +0.1 | -0.6 + 0.6 + 0.1 = +0.1, -0.1
    energies = np.array([[-1.2, -0.8], [-0.6, -0.6]])
    found = decompose(energies, all_of(energies))
    assert found.offset == pytest.approx([-0.1, 0.1])
    assert found.rest == pytest.approx(np.array([[-0.1, 0.1], [0.1, -0.1]]))
    assert found.relative == pytest.approx(np.full(2, np.std([-0.1, 0.1], ddof=1) * np.sqrt(2)))


def test_the_relative_spread_of_noise_is_that_noise():
    chance = np.random.default_rng(5)
    spreads = []
    for _ in range(300):
        energies = chance.normal(size=(3, 1)) + chance.normal(size=(1, 4)) + 0.2 * chance.normal(size=(3, 4))
        spreads.append(decompose(energies, all_of(energies)).relative ** 2)
    assert np.sqrt(np.mean(spreads)) == pytest.approx(0.2, rel=0.05)


def test_missing_energies_against_a_fit_of_the_whole_design_matrix():
    chance = np.random.default_rng(2)
    energies = chance.normal(size=(12, 4))
    energies[chance.random((12, 4)) < 0.3] = np.nan
    distinct = chance.random(12) < 0.8
    found = decompose(energies, distinct)
    used = np.flatnonzero(distinct & ((~np.isnan(energies)).sum(axis=1) > 1))
    cells = [(c, m) for c in used for m in range(4) if not np.isnan(energies[c, m])]
    design = np.zeros((len(cells), len(used) + 4))
    for row, (c, m) in enumerate(cells):
        design[row, np.flatnonzero(used == c)[0]] = design[row, len(used) + m] = 1.0
    solved = np.linalg.lstsq(design, np.array([energies[cell] for cell in cells]), rcond=None)[0][len(used) :]
    assert found.offset == pytest.approx(solved - solved.mean())
    assert found.n == len(used)


def test_what_is_not_distinct_takes_no_part_in_the_offsets_and_gets_its_rest():
    energies = np.array([[0.0, 1.0], [1.0, 2.0], [5.0, 9.0]])
    found = decompose(energies, np.array([True, True, False]))
    assert found.offset == pytest.approx([-0.5, 0.5])
    assert found.rest[2] == pytest.approx([-1.5, 1.5])
    assert found.relative == pytest.approx([0.0, 0.0, np.std([-1.5, 1.5], ddof=1)], abs=1e-12)


@pytest.mark.parametrize(
    "energies",
    [[[-1.0, -0.5]], [[-1.0, np.nan], [-0.5, 0.0]], [[-1.0, np.nan], [np.nan, 0.0]], [[np.nan, np.nan]]],
    ids=["one candidate", "one shared candidate", "none shared", "no energies"],
)
def test_relative_spreads_need_two_candidates_that_members_share(energies):
    found = decompose(np.array(energies), all_of(energies))
    assert np.isnan(found.relative).all()


def test_members_that_nothing_links_have_no_common_offset_spread():
    nothing = np.nan
    energies = np.array([[0.0, 1.0, nothing, nothing], [nothing, nothing, 3.0, 5.0], [1.0, 2.0, nothing, nothing]])
    found = decompose(energies, all_of(energies))
    assert np.isnan(found.spread)
    assert found.relative[[0, 2]] == pytest.approx([0.0, 0.0], abs=1e-12)


def test_a_member_with_no_energy_at_all_is_left_out():
    energies = np.array([[0.0, 1.0, np.nan], [1.0, 2.0, np.nan]])
    found = decompose(energies, all_of(energies))
    assert np.isnan(found.offset[2])
    assert found.offset[:2] == pytest.approx([-0.5, 0.5])
    assert found.spread == pytest.approx(np.std([-0.5, 0.5], ddof=1))


def test_offsets_of_one_system_say_nothing_of_another():
    # a shift of 5 eV between the members in one system, none in the other; within each they agree but for one candidate
    energies = np.array([[0.0, 5.0], [1.0, 6.0], [0.0, 0.0], [1.0, 1.4]])
    found = relative_spreads(energies, all_of(energies), np.array([0, 0, 1, 1]))
    assert found == pytest.approx([0.0, 0.0, 0.2, 0.2], abs=1e-12)
    one = relative_spreads(energies[:3], all_of(energies[:3]), np.array([0, 0, 7]))
    assert np.isnan(one[2])
