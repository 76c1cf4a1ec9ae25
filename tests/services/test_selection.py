"""Verdicts and choices, each worked by hand."""

from __future__ import annotations

import pytest

from services.selection import Choice, Judged, Scored, choose, judge
from shared.errors import InvalidInput
from shared.parameters import Ensemble, Selection, Spread

SLAB_CO = "relaxed clean slab + CO(g)"
LENIENT = Selection(include_anomalous=True)


def scored(
    key: int,
    *energies: float,
    converged: bool = True,
    fmax: float = 0.03,
    anomalies: tuple[str, ...] = (),
    duplicate_of: int | None = None,
) -> Scored:
    members = {f"m{number}": energy for number, energy in enumerate(energies)}
    return Scored(key, members, dict.fromkeys(members, SLAB_CO), converged, fmax, anomalies, duplicate_of)


def verdict(candidate: Scored, ensemble: Ensemble | None = None, selection: Selection | None = None) -> Judged:
    return judge(candidate, ensemble or Ensemble(), selection or Selection())


def chosen(*candidates: Scored, selection: Selection | None = None) -> list[Choice]:
    return choose([verdict(one, selection=selection) for one in candidates], selection or Selection())


def keys(choices: list[Choice]) -> list[int]:
    return [one.key for one in choices]


def test_agreement_passes() -> None:
    judged = verdict(scored(1, -1.0, -1.1))
    assert judged.passes
    assert judged.reason == ""


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (scored(1, -1.0, -1.58), "std 0.41 eV exceeds the limit of 0.30 eV"),
        (scored(1, -1.0, -1.0, converged=False, fmax=0.12), "not converged: fmax 0.120 eV/Å"),
        (scored(1, -1.0, -1.0, anomalies=("dissociated", "desorbed")), "dissociated, desorbed"),
        (scored(1, -1.0), "scored by one member, two are needed"),
        (scored(1), "not scored"),
        (
            scored(1, -1.0, converged=False, fmax=0.2),
            "not converged: fmax 0.200 eV/Å; scored by one member, two are needed",
        ),
    ],
)
def test_failures_say_why(candidate: Scored, reason: str) -> None:
    judged = verdict(candidate)
    assert not judged.passes
    assert judged.reason == reason


def test_the_limit_itself_passes_and_the_kind_of_spread_counts() -> None:
    wide = scored(1, 0.0, 0.5, 0.25)  # std 0.25, range 0.5
    assert verdict(wide, Ensemble(limit=0.25)).passes
    assert verdict(wide, Ensemble(limit=0.5, spread=Spread.RANGE)).passes
    judged = verdict(wide, Ensemble(limit=0.25, spread=Spread.RANGE))
    assert judged.reason == "range 0.50 eV exceeds the limit of 0.25 eV"


def test_anomalous_candidates_pass_only_when_asked_for() -> None:
    assert verdict(scored(1, -1.0, -1.0, anomalies=("desorbed",)), selection=LENIENT).passes


def test_mixed_references_are_an_error() -> None:
    mixed = Scored(1, {"a": 0.0, "b": 0.0}, {"a": SLAB_CO, "b": "relaxed clean slab"}, True, 0.01)
    with pytest.raises(InvalidInput, match="different references"):
        verdict(mixed)


def test_lowest_first_ties_by_key_and_no_more_than_asked() -> None:
    candidates = [scored(9, -1.0, -1.0), scored(4, -2.0, -2.0), scored(3, -1.0, -1.0), scored(5, -3.0, -1.0)]
    assert chosen(*candidates) == [Choice(0, 4, False, ""), Choice(1, 3, False, ""), Choice(2, 9, False, "")]
    assert keys(chosen(*reversed(candidates), selection=Selection(count=2))) == [4, 3]


def test_a_minimum_is_chosen_once() -> None:
    assert keys(chosen(scored(1, -1.0, -1.0), scored(2, -1.01, -1.01, duplicate_of=1), scored(3, -0.5, -0.5))) == [2, 3]


def test_a_sound_duplicate_stands_in_for_a_first_that_failed() -> None:
    first = scored(1, -1.1, -1.1, converged=False, fmax=0.2)
    assert chosen(first, scored(2, -1.0, -1.0, duplicate_of=1)) == [Choice(0, 2, False, "")]
    assert keys(chosen(scored(1), scored(2, -1.0, -1.0, duplicate_of=1))) == [2]


def test_where_nothing_passes_the_lowest_sound_one_is_returned_marked() -> None:
    anomalous = scored(1, -5.0, -5.0, anomalies=("dissociated",))
    split = scored(2, -2.0, -1.0)
    answer = chosen(anomalous, split, scored(3, -1.0))
    assert keys(answer) == [2]
    assert answer[0].low_confidence
    assert answer[0].reason == "nothing passed the filter; the lowest: std 0.71 eV exceeds the limit of 0.30 eV"
    assert keys(chosen(anomalous)) == [1]
    assert chosen(anomalous)[0].low_confidence


def test_anomalous_ones_rank_by_energy_when_asked_for() -> None:
    candidates = [scored(1, -1.0, -1.0), scored(2, -2.0, -2.0, anomalies=("desorbed",))]
    assert keys(chosen(*candidates, selection=LENIENT)) == [2, 1]
    assert keys(chosen(*candidates)) == [1]


def test_no_energy_no_choice() -> None:
    assert chosen(scored(1)) == []
    assert chosen() == []
