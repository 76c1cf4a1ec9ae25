"""The tables of a few searches whose answers can be counted by hand."""

import json

import pytest

from benchmarks.challenge import shown, tables
from benchmarks.challenge.effort import METHODS, Effort, Known, Unit
from benchmarks.challenge.tables import NEAR, VIEWS, Found

MEMBERS = ("one", "two", "three")


def unit(system, rows, *, relaxed, chosen):
    """rows: methods, anomalies, teacher's energy, errors of the three students."""
    made = Unit(system, "two")
    made.energies = {name: [] for name in MEMBERS}
    for index, (methods, anomalies, energy, errors) in enumerate(rows):
        made.start.append(index)
        made.methods.append(methods)
        made.converged.append(True)
        made.anomalies.append(anomalies)
        made.first.append(index)
        made.teacher.append(energy)
        for name, error in zip(MEMBERS, errors, strict=True):
            made.energies[name].append(energy + error)
    made.relaxed, made.chosen = relaxed, chosen
    made.calls = [10, 10, 10]
    return made


UNITS = [
    unit(
        "a",
        [
            ([0], "", -1.0, (0.2, 0.0, -0.05)),
            ([0], "desorbed", -3.0, (0.0, 0.0, 0.0)),
            ([1, 2], "", -1.2, (0.05, 0.05, 0.05)),
            ([2], "", -1.5, (0.4, -0.2, -0.53)),
        ],
        relaxed={"0": -1.01, "2": -1.22, "3": -1.55},
        chosen=[[0], [2], [3, 2]],
    ),
    unit(
        "b",
        [([0], "", 0.5, (0.0, 0.0, 0.0)), ([1, 2], "", 0.45, (0.0, 0.15, 0.0))],
        relaxed={"0": 0.44, "1": None},
        chosen=[[0], [1], []],
    ),
    unit("c", [([0], "dissociated", 0.0, (0.0, 0.0, 0.0))], relaxed={}, chosen=[[], [], []]),
]
KNOWN = {"a": Known("a", -1.6, 2), "b": Known("b", None, 0), "c": Known("c", None, 0)}


def found():
    return Found.of(UNITS, KNOWN)


def counted(share):
    return share.hits, share.count


def test_the_lowest_known_is_the_teachers_or_what_it_says_of_finds():
    assert found().lowest == {"a": -1.6, "b": 0.44}


def test_a_system_without_a_sound_minimum_is_left_out_and_named():
    assert found().left_out == ("c",)
    assert {one.system for one in found().units} == {"a", "b"}


def test_anomalies_are_counted_of_what_each_method_relaxed():
    table, gain = tables.anomalies(found())
    assert {method: counted(row["any"]) for method, row in table.items()} == dict(
        zip(METHODS, [(1, 3), (0, 2), (0, 3)], strict=True)
    )
    assert counted(table[METHODS[0]]["desorbed"]) == (1, 3)
    assert gain.difference == pytest.approx(100 / 3)


def test_success_by_the_teacher_after_relaxation_as_it_is_and_by_the_students():
    table, _ = tables.searches(found())
    by_view = {view: [counted(table[method][view])[0] for method in METHODS] for view in table[METHODS[0]]}
    assert by_view == {
        # a: -1.01, -1.22, -1.55 against -1.6; b: 0.44, unsound, nothing chosen against 0.44
        VIEWS[0]: [1, 0, 1],
        # a: -1.0, -1.2, -1.5 (0.1 above is not below); b: 0.5, 0.45, none
        VIEWS[1]: [1, 1, 0],
        # means: a: -0.95, -1.15, -1.61; b: 0.5, 0.5, none
        VIEWS[2]: [1, 1, 1],
        # of student two alone: a: -1.0, -1.15, -1.7; b: 0.5, 0.6, 0.6
        VIEWS[3]: [1, 0, 1],
        f"{VIEWS[3]}, {NEAR} eV": [1, 0, 1],
    }
    assert all(share.count == 2 for row in table.values() for share in row.values())


def test_energies_of_students_ensemble_and_filter():
    rows = tables.energies(found())[0]["rows"]
    told = {what: counted(row.share) for what, row in rows.items()}
    # sound ones of a: three, of b: two
    assert told["one"] == (3, 5)
    assert told["two"] == (3, 5)
    assert told["three"] == (4, 5)
    # errors of the mean: 0.05, 0.05, -0.11, 0, 0.05
    assert told["ensemble"] == (4, 5)
    # the std of -1.5 is 0.47 eV
    assert told["ensemble + filter (std <= 0.30 eV)"] == (4, 4)
    assert rows["ensemble, half by std"].kept.hits == 3


def test_the_challenge_judges_the_whole_methods_lowest_candidate():
    table = tables.challenge(found())
    # a: the lowest by the mean is -1.61 at -1.5, which is 0.11 off, and what passes the filter is 0.45 above the lowest; b: 0.5 at
    # 0.45, 0.06 above the lowest. Of student one alone a's is right and 0.45 above, b's 0.45
    assert {by: counted(share) for by, share in table[METHODS[2]].items()} == {
        "one": (1, 2),
        "ensemble": (1, 2),
        "ensemble + filter": (1, 2),
    }


def test_a_method_that_chose_nothing_counts_as_failed():
    none = [unit("a", [([0], "", -1.0, (0.0, 0.0, 0.0))], relaxed={"0": -1.0}, chosen=[[0], [], []])]
    table, _ = tables.searches(Found.of(none, {}))
    assert [counted(table[method][VIEWS[0]]) for method in METHODS] == [(1, 1), (0, 1), (0, 1)]
    assert [counted(row["ensemble"]) for row in tables.challenge(Found.of(none, {})).values()] == [
        (1, 1),
        (0, 1),
        (0, 1),
    ]


def test_what_is_told_is_plain_json(capsys):
    told = shown.show(found(), Effort())
    assert {"anomalies", "search", "energies", "challenge", "systems"} <= set(told)
    assert json.loads(json.dumps(told))["systems"]["left_out"] == ["c"]
    assert told["energies"]["ensemble"] | {"mean_error": None} == {
        "share": 0.8,
        "hits": 4,
        "count": 5,
        "interval": told["energies"]["ensemble"]["interval"],
        "kept": 1.0,
        "mean_error": None,
    }
    assert "Anomalies" in capsys.readouterr().out
