"""The three tables on a fixture small enough to count by hand; correlations against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from services.evaluation.labelled import Labelled, pairs
from services.evaluation.shares import interval, share
from services.evaluation.tables import correlate, energy_table, evaluate, search_table
from shared.errors import InvalidInput
from shared.parameters import Spread

NAN = float("nan")
METHODS = ("plain", "restrained")
# system, method, member a, member b, reference, anomalies
ROWS = [
    ("x", 0, -1.00, -1.10, -1.05, ""),  # mean exact
    ("x", 1, -1.30, -1.30, -1.20, "desorbed"),  # anomalous: only the table of anomalies sees it
    ("y", 0, -0.50, -0.50, -0.70, ""),  # off by 0.2, and 0.3 above the lowest
    ("y", 1, -0.76, -0.70, -0.80, ""),  # mean off by 0.07
    ("z", 0, -2.00, -1.00, -1.60, "dissociated, reconstructed"),
    ("z", 1, -2.00, -1.00, -1.55, ""),  # std 0.71; mean off by 0.05, members by 0.45 and 0.55
    ("z", 1, -0.20, NAN, -0.20, ""),  # not scored by both
    ("z", 1, -0.10, -0.10, NAN, ""),  # no reference
]
LABELLED = Labelled(
    name="fixture",
    reference_name="by hand",
    systems=[row[0] for row in ROWS],
    candidates=[str(index) for index in range(len(ROWS))],
    members=("a", "b"),
    energies=np.array([row[2:4] for row in ROWS]),
    reference=np.array([row[4] for row in ROWS]),
    methods=METHODS,
    method=np.array([row[1] for row in ROWS]),
    sound=np.array([not row[5] for row in ROWS]),
    anomalies=[row[5] for row in ROWS],
    lowest={"x": -1.05},
)


def test_anomalies_by_method() -> None:
    plain, restrained = evaluate(LABELLED).anomalies
    assert {kind: (one.hits, one.count) for kind, one in plain.shares.items()} == {
        "dissociated": (1, 3), "desorbed": (0, 3), "intercalated": (0, 3), "reconstructed": (1, 3), "reacted": (0, 3),
        "overlapping": (0, 3), "any": (1, 3),
    }  # fmt: skip
    assert (restrained.shares["desorbed"].hits, restrained.shares["any"].hits, restrained.shares["any"].count) == (
        1,
        1,
        5,
    )


def test_search_by_method() -> None:
    # lowest sound references: x -1.05 (given), y -0.8, z -1.55
    found = {(row.method, row.energies): (row.share.hits, row.share.count) for row in search_table(LABELLED)}
    mean, own = "ensemble mean", "reference, of the same structures"
    # by the mean: plain x at -1.05, y at -0.5, z nothing sound; restrained x nothing sound, y at -0.73, z at -1.5
    assert found["plain", mean] == (1, 3)
    assert found["restrained", mean] == (2, 3)
    # by the reference: plain x; y at -0.7 is not below -0.7; restrained y -0.8, z -1.55
    assert found["plain", own] == (1, 3)
    assert found["restrained", own] == (2, 3)


def test_energies_by_member_ensemble_and_filter() -> None:
    rows = {row.what: row for row in energy_table(LABELLED, Spread.STD, 0.3)}
    # sound, with a reference and both members: 0, 2, 3, 5
    counted = {what: (row.share.hits, row.share.count, row.kept.hits, row.kept.count) for what, row in rows.items()}
    assert counted == {
        "a": (2, 4, 4, 4),  # 0: 0.05, 3: 0.04
        "b": (1, 4, 4, 4),  # 0: 0.05; 3 is off by 0.1, which is not below it
        "ensemble": (3, 4, 4, 4),
        "ensemble + filter (std <= 0.30 eV)": (2, 3, 3, 4),
    }
    assert rows["ensemble"].mean_error == pytest.approx((0 + 0.2 + 0.07 + 0.05) / 4)


def test_the_challenge_by_system() -> None:
    table = {what: {one.system: one.succeeds for one in ones} for what, ones in evaluate(LABELLED).challenge.items()}
    # z: mean -1.5, reference and lowest -1.55
    assert table["ensemble"] == {"x": True, "y": True, "z": True}
    # within the limit only candidate 7 of z is left, which has no reference
    assert table["ensemble + filter"] == {"x": True, "y": True, "z": False}


def test_correlations_are_scipys() -> None:
    rng = np.random.default_rng(1)
    spreads = rng.integers(0, 6, 80) / 10
    errors = spreads + rng.integers(0, 4, 80) / 10
    found = correlate(spreads, errors, np.arange(80))
    assert found is not None
    assert found.pearson == pytest.approx(stats.pearsonr(spreads, errors).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(spreads, errors).statistic)
    assert found.pearson_interval.low < found.pearson < found.pearson_interval.high
    assert correlate(spreads[:2], errors[:2], np.arange(2)) is None
    assert np.isnan(correlate(np.ones(5), np.arange(5.0), np.arange(5)).pearson)  # type: ignore[union-attr]


def test_pairs_need_every_member_a_reference_and_soundness() -> None:
    found = pairs(LABELLED, Spread.RANGE)
    assert found.spreads == pytest.approx([0.1, 0.0, 0.06, 1.0])
    assert found.errors == pytest.approx([0.0, 0.2, 0.07, 0.05])
    assert len(set(found.systems.tolist())) == 3


def test_an_interval_draws_systems_whole() -> None:
    hits = np.repeat([True, False, True, False], 50)
    systems = np.repeat([0, 1, 2, 3], 50)
    together, alone = share(hits, systems), share(hits)
    assert together.high - together.low > 3 * (alone.high - alone.low)
    low, high = interval(lambda which: float(hits[which].mean()), systems)
    assert (low, high) == pytest.approx((together.low, together.high), abs=0.26)


def test_the_interval_covers_the_true_share() -> None:
    rng = np.random.default_rng(0)
    covered = sum(one.low <= 0.7 <= one.high for one in (share(rng.random(80) < 0.7, seed=k) for k in range(200)))
    assert covered > 178  # 95 % of 200, less four standard deviations


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one entry for each"):
        Labelled("n", "r", ["x"], ["1"], ("a",), np.zeros((2, 1)), np.zeros(1))


def test_a_candidate_of_two_methods_counts_for_both_and_once_in_all() -> None:
    twice = Labelled(
        name="n",
        reference_name="r",
        systems=["x", "x", "x"],
        candidates=["1", "1", "2"],
        members=("a", "b"),
        energies=np.array([[-1.0, -1.0]] * 2 + [[0.0, 0.0]]),
        reference=np.array([-1.0, -1.0, -1.0]),
        methods=("first", "second"),
        method=np.array([0, 1, 1]),
    )
    found = evaluate(twice)
    assert [row.share.count for row in found.energies] == [2, 2, 2, 2]
    assert [row.shares["any"].count for row in found.anomalies] == [1, 2]
    assert found.n_configurations == 2
