"""Verdicts and choices, each worked by hand; and held to a plain loop on random pools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.selection import choose
from shared.errors import InvalidInput
from shared.parameters import Choosing, Spread
from shared.scored import Outcome, Pool

MEMBERS = ("m0", "m1", "m2")
LENIENT = {"include_anomalous": True}


@dataclass(frozen=True)
class Scored:
    key: int
    energies: tuple[float, ...]
    converged: bool = True
    fmax: float = 0.03
    anomalies: str = ""
    same_as: int | None = None


def scored(key: int, *energies: float, **values: object) -> Scored:
    return Scored(key, energies, **values)  # type: ignore[arg-type]


def pool(*candidates: Scored, references: tuple[str, ...] = ("relaxed clean slab + CO(g)",)) -> Pool:
    energies = np.full((len(candidates), 3), np.nan)
    for row, one in zip(energies, candidates, strict=True):
        row[: len(one.energies)] = one.energies
    return Pool(
        keys=np.array([one.key for one in candidates], dtype=np.int64),
        members=MEMBERS,
        energies=energies,
        references=references,
        converged=np.array([one.converged for one in candidates], dtype=bool),
        fmax=np.array([one.fmax for one in candidates], dtype=float),
        anomalies=[one.anomalies for one in candidates],
        first=np.array([one.key if one.same_as is None else one.same_as for one in candidates], dtype=np.int64),
    )


def chosen(*candidates: Scored, limit: float = 0.3, **rules: object) -> tuple[list[int], Outcome]:
    made = pool(*candidates)
    outcome = choose(made, Choosing(members=MEMBERS, **rules), limit)  # type: ignore[arg-type]
    order = np.argsort(outcome.rank, kind="stable")
    return [int(made.keys[index]) for index in order if outcome.rank[index] >= 0], outcome


def keys(*candidates: Scored, **rules: object) -> list[int]:
    return chosen(*candidates, **rules)[0]  # type: ignore[arg-type]


def said(*candidates: Scored, **rules: object) -> list[str]:
    return list(chosen(*candidates, **rules)[1].verdicts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (scored(1, -1.0, -1.1), ""),
        (scored(1, -1.0, -1.58), "std 0.41 eV exceeds the limit of 0.30 eV"),
        (scored(1, -1.0, -1.0, converged=False, fmax=0.12), "not converged: fmax 0.120 eV/Å"),
        (scored(1, -1.0, -1.0, anomalies="dissociated, desorbed"), "dissociated, desorbed"),
        (scored(1, -1.0), "scored by one member, two are needed"),
        (scored(1), "not scored"),
        (
            scored(1, -1.0, converged=False, fmax=0.2),
            "not converged: fmax 0.200 eV/Å; scored by one member, two are needed",
        ),
    ],
)
def test_the_filter_says_why(candidate: Scored, reason: str) -> None:
    _, outcome = chosen(candidate)
    assert outcome.passes.tolist() == [not reason]
    assert list(outcome.reasons) == [reason]


def test_the_limit_itself_passes_and_the_kind_of_spread_counts() -> None:
    wide = scored(1, 0.0, 0.5, 0.25)  # std 0.25, range 0.5
    assert chosen(wide, limit=0.25)[1].passes.all()
    assert chosen(wide, limit=0.5, spread=Spread.RANGE)[1].passes.all()
    _, refused = chosen(wide, limit=0.25, spread=Spread.RANGE)
    assert list(refused.reasons) == ["range 0.50 eV exceeds the limit of 0.25 eV"]


def test_a_filter_by_the_relative_spread_forgives_what_members_say_of_all_alike() -> None:
    # the members are 2 eV apart and agree to the last digit which minimum is lowest
    apart = [scored(1, -1.0, 1.0), scored(2, -1.5, 0.5), scored(3, -0.7, 1.3)]
    found, outcome = chosen(*apart, limit=0.1, spread=Spread.RELATIVE)
    assert found == [2, 1, 3]
    assert not outcome.low_confidence
    assert outcome.std == pytest.approx(np.full(3, np.sqrt(2)))
    assert outcome.relative == pytest.approx(np.zeros(3), abs=1e-12)
    assert (outcome.offset[:2].tolist(), outcome.offset_spread, outcome.n_offsets) == (
        pytest.approx([-1.0, 1.0]), pytest.approx(np.sqrt(2)), 3,
    )  # fmt: skip
    assert np.isnan(outcome.offset[2])
    assert chosen(*apart, limit=0.1)[1].low_confidence  # by std nothing passes
    # worked by hand: rests of ±0.2 about offsets of ∓0; std of (-0.2, 0.2) is 0.283, times sqrt(2) for two candidates
    crossed = [scored(1, -1.2, -0.8), scored(2, -0.8, -1.2)]
    _, refused = chosen(*crossed, limit=0.3, spread=Spread.RELATIVE)
    assert refused.relative == pytest.approx(np.full(2, 0.4))
    assert list(refused.reasons) == ["relative spread 0.40 eV exceeds the limit of 0.30 eV"] * 2


def test_relative_spreads_do_not_depend_on_which_of_two_duplicates_was_found_first() -> None:
    higher, lower, other = (-1.0, -1.1, -0.8), (-1.1, -1.4, -1.0), (-2.0, -1.9, -2.2)
    _, one = chosen(Scored(1, higher), Scored(2, lower, same_as=1), Scored(3, other))
    _, swapped = chosen(Scored(1, lower), Scored(2, higher, same_as=1), Scored(3, other))
    assert one.relative.tolist() == swapped.relative[[1, 0, 2]].tolist()
    assert one.offset.tolist() == swapped.offset.tolist()


def test_one_minimum_has_no_relative_spread_and_says_so() -> None:
    again = scored(2, -1.0, -1.1, same_as=1)
    broken = scored(3, -9.0, -2.0, anomalies="dissociated")
    _, outcome = chosen(scored(1, -1.0, -1.1), again, broken, spread=Spread.RELATIVE)
    assert outcome.n_offsets == 1
    assert not outcome.passes.any()
    assert outcome.reasons[0] == (
        "no relative spread: it needs two distinct sound minima that members share, and there is 1"
    )


def test_mixed_references_are_an_error() -> None:
    mixed = pool(scored(1, -1.0, -1.0), references=("relaxed clean slab", "relaxed clean slab + CO(g)"))
    with pytest.raises(InvalidInput, match="different references"):
        choose(mixed, Choosing(members=MEMBERS), 0.3)


def test_lowest_first_ties_by_key_and_no_more_than_asked() -> None:
    candidates = [scored(9, -1.0, -1.0), scored(4, -2.0, -2.0), scored(3, -1.0, -1.0), scored(5, -3.0, -1.0)]
    assert keys(*candidates) == [4, 3, 9]
    assert keys(*reversed(candidates), count=2) == [4, 3]


def test_weights_change_who_is_lowest() -> None:
    candidates = [scored(1, -1.0, -1.2), scored(2, -1.2, -0.9)]
    assert keys(*candidates)[0] == 1
    assert keys(*candidates, weights={"m0": 9.0})[0] == 2


def test_every_candidate_has_a_verdict() -> None:
    candidates = [
        scored(1, -2.0, -2.0),
        scored(2, -1.9, -1.9, same_as=1),
        scored(3, -1.5, -1.5),
        scored(4, -1.2, -1.2),
        scored(5, 0.0, 0.0),
        scored(6, -3.0, -1.0),
        scored(7, same_as=3),
    ]
    assert said(*candidates, count=2, window=1.0) == [
        "chosen: the lowest of 4 distinct minima that pass the filter",
        "same minimum as #1",
        "chosen: rank 1, 0.50 eV above the lowest",
        "rank 2, 0.80 eV above the lowest; the 2 lowest are chosen",
        "2.00 eV above the lowest, beyond the window of 1.00 eV",
        "std 1.41 eV exceeds the limit of 0.30 eV",
        "same minimum as #3",
    ]


def test_the_window_counts_from_the_lowest_that_passes() -> None:
    candidates = [scored(1, -5.0, -1.0), scored(2, -1.0, -1.0), scored(3, -0.5, -0.5), scored(4, 0.0, 0.0)]
    assert keys(*candidates, window=0.5) == [2, 3]


def test_a_minimum_is_chosen_once() -> None:
    assert keys(scored(1, -1.0, -1.0), scored(2, -1.01, -1.01, same_as=1), scored(3, -0.5, -0.5)) == [2, 3]


def test_a_sound_duplicate_stands_in_for_a_first_that_failed() -> None:
    first = scored(1, -1.1, -1.1, converged=False, fmax=0.2)
    found, outcome = chosen(first, scored(2, -1.0, -1.0, same_as=1))
    assert found == [2]
    assert outcome.verdicts[0] == "same minimum as #2"
    assert outcome.same_as.tolist() == [2, 2]
    assert keys(scored(1), scored(2, -1.0, -1.0, same_as=1)) == [2]


def test_where_nothing_passes_the_lowest_sound_one_is_returned_marked() -> None:
    anomalous = scored(1, -5.0, -5.0, anomalies="dissociated")
    found, outcome = chosen(anomalous, scored(2, -2.0, -1.0), scored(3, -1.0))
    assert found == [2]
    assert outcome.low_confidence
    assert list(outcome.verdicts) == [
        "dissociated",
        "low confidence: nothing passed the filter; the lowest: std 0.71 eV exceeds the limit of 0.30 eV",
        "scored by one member, two are needed",
    ]
    found, outcome = chosen(anomalous)
    assert (found, outcome.low_confidence) == ([1], True)


def test_anomalous_ones_rank_by_energy_when_asked_for() -> None:
    candidates = [scored(1, -1.0, -1.0), scored(2, -2.0, -2.0, anomalies="desorbed")]
    assert keys(*candidates, **LENIENT) == [2, 1]
    assert keys(*candidates) == [1]


def test_no_energy_no_choice() -> None:
    for candidates in ((scored(1),), ()):
        found, outcome = chosen(*candidates)
        assert found == []
        assert not outcome.low_confidence


def in_a_loop(candidates: list[Scored], limit: float, count: int, window: float | None) -> list[int]:
    """The rules again, one candidate at a time."""

    def mean(one: Scored) -> float:
        return sum(one.energies) / len(one.energies)

    def good(one: Scored) -> bool:
        enough = len(one.energies) > 1 and one.converged and not one.anomalies
        return enough and float(np.std(one.energies, ddof=1)) <= limit

    best: dict[int, Scored] = {}
    preferred = sorted(
        (one for one in candidates if one.energies),
        key=lambda one: (not good(one), bool(one.anomalies) and not good(one), mean(one), one.key),
    )
    for one in preferred:
        best.setdefault(one.key if one.same_as is None else one.same_as, one)
    passing = [one for one in best.values() if good(one)]
    if not passing:
        return [one.key for one in best.values()][:1]
    edge = np.inf if window is None else mean(passing[0]) + window
    return [one.key for one in passing if mean(one) <= edge][:count]


quarters = st.integers(-8, 8).map(lambda n: n / 4)  # exact, with ties


@given(
    st.lists(
        st.tuples(
            st.lists(quarters, max_size=3), st.booleans(), st.sampled_from(["", "", "desorbed"]), st.integers(0, 4)
        ),
        max_size=12,
    ),
    st.sampled_from([0.25, 0.5]),
    st.integers(1, 4),
    st.sampled_from([None, 0.5, 1.0]),
)
def test_as_a_plain_loop_chooses(
    rows: list[tuple[list[float], bool, str, int]], limit: float, count: int, window: float | None
) -> None:
    candidates = [
        Scored(key, tuple(energies), converged, 0.1, anomalies, group if group < key else None)
        for key, (energies, converged, anomalies, group) in enumerate(rows)
    ]
    found, outcome = chosen(*candidates, limit=limit, count=count, window=window)
    assert found == in_a_loop(candidates, limit, count, window)
    assert all(outcome.verdicts)
