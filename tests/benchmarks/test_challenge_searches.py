"""One search of each method by students that are EMT with errors of their own, and EMT as the teacher."""

import time
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.challenge import effort as efforts
from benchmarks.challenge.effort import METHODS, Effort, Known, Store, Unit
from benchmarks.challenge.searching import Memory, Searches, Teacher, chosen, known, searched
from benchmarks.searches import clean_slab
from benchmarks.systems import Case, build, starts
from services.forces.potential import Evaluation
from worker.potentials import registry

CASE = Case("Cu", "111", "*CO", (2, 2, 3))
EFFORT = Effort(budget=90, placements=2, teacher_budget=60, relaxed=1)
PER_ATOM = np.array([0.0, 1.0, 2.0])


class Off:
    """A student: EMT's energy on the teacher's scale, off by a constant."""

    def __init__(self, by):
        self.emt = registry.load("emt")
        self.card = self.emt.card
        self.by = by
        self.zero = teacher().on(CASE).zero

    def evaluate(self, structures):
        return [Evaluation(one.energy - self.zero + self.by, one.forces) for one in self.emt.evaluate(structures)]


@lru_cache
def teacher():
    return Teacher(registry.load("emt"), PER_ATOM)


@lru_cache
def students():
    return {name: Off(by) for name, by in (("one", 0.04), ("two", -0.02), ("three", 0.1))}


@lru_cache
def unit():
    return searched(CASE, "one", students(), teacher(), EFFORT)


def test_the_scale_is_the_relaxed_clean_slab_and_constants_per_atom():
    emt = registry.load("emt")
    slab = clean_slab(emt, build(CASE).slab)
    assert teacher().on(CASE).zero == pytest.approx(emt.evaluate([slab])[0].energy + 3.0)
    adslab = starts(build(CASE), 1, 0)[0]
    assert teacher().on(CASE).says([adslab])[0] == pytest.approx(
        emt.evaluate([adslab])[0].energy - emt.evaluate([slab])[0].energy - 3.0
    )


def test_energies_are_of_the_very_geometry_for_all():
    for name, by in (("one", 0.04), ("two", -0.02), ("three", 0.1)):
        assert np.array(unit().energies[name]) - np.array(unit().teacher) == pytest.approx(by, abs=2e-4)


def test_a_restrained_relaxation_is_one_candidate_of_two_methods():
    assert {tuple(methods) for methods in unit().methods} >= {(1, 2)}
    both = [start for start, methods in zip(unit().start, unit().methods, strict=True) if {1, 2} <= set(methods)]
    assert set(both) <= set(range(EFFORT.placements))


def test_no_method_gets_more_force_calls_than_another():
    assert len(unit().calls) == len(METHODS)
    assert all(calls <= EFFORT.budget for calls in unit().calls)
    longer = searched(CASE, "one", students(), teacher(), Effort(budget=30, placements=2, relaxed=1))
    for method in range(2):
        count = [sum(method in methods for methods in one.methods) for one in (longer, unit())]
        assert count[0] < count[1]


def test_the_product_chooses_and_the_teacher_relaxes_what_is_chosen():
    for method, ranks in enumerate(unit().chosen):
        mine = [index for index, methods in enumerate(unit().methods) if method in methods]
        sound = [index for index in mine if unit().converged[index] and not unit().anomalies[index]]
        assert ranks == [min(sound, key=lambda index: unit().teacher[index])]
        relaxed = unit().relaxed[str(ranks[0])]
        # EMT's minimum is the teacher's own
        assert relaxed == pytest.approx(unit().teacher[ranks[0]], abs=2e-3)


def test_nothing_is_chosen_where_nothing_was_found():
    assert chosen(Unit("s", "one", energies={"one": [], "two": []}), 0) == []


def test_the_teacher_finds_what_students_that_are_right_find():
    told = known(CASE, teacher(), EFFORT)
    assert told.minima >= 1
    assert told.lowest == pytest.approx(min(unit().teacher[ranks[0]] for ranks in unit().chosen), abs=0.1)


def test_memory_asks_once():
    class Counting(Off):
        asked = 0

        def evaluate(self, structures):
            self.asked += len(structures)
            return super().evaluate(structures)

    counting = Counting(0.0)
    memory = Memory(counting)
    first, second = starts(build(CASE), 2, 0)
    assert [one.energy for one in memory.evaluate([first, second, first])] == [
        one.energy for one in memory.evaluate([first, second, first])
    ]
    assert counting.asked == 2


def searches(store, **changed):
    asked = {"cases": [CASE], "searchers": ["one"], "effort": EFFORT, "store": store}
    return Searches(**asked | changed, load_students=students, load_teacher=teacher)


def test_what_was_found_is_not_searched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(efforts, "FOUND", tmp_path / "none.jsonl")
    store = Store(tmp_path / "found.jsonl", "key")
    assert searches(store).run(time.monotonic() + 1000)
    text = store.file.read_text()
    assert searches(store).run(time.monotonic() + 1000)
    assert store.file.read_text() == text
    (told,) = store.units()
    assert (told.system, told.by) == (str(CASE), "one")
    assert set(store.known()) == {str(CASE)}


def test_no_search_begins_after_the_time_that_was_given(tmp_path, monkeypatch):
    monkeypatch.setattr(efforts, "FOUND", tmp_path / "none.jsonl")
    store = Store(tmp_path / "found.jsonl", "key")
    assert not searches(store).run(time.monotonic() - 1)
    assert not store.file.exists()


def test_results_of_other_students_are_left_alone(tmp_path):
    one, other = Effort().key({"a": "1"}), Effort().key({"a": "2"})
    assert one != other
    assert one != Effort(budget=1).key({"a": "1"})
    Store(tmp_path / "f", one).add(Known("s", -1.0, 2))
    Store(tmp_path / "f", other).add(Known("s", -2.0, 2))
    assert Store(tmp_path / "f", one).known()["s"].lowest == -1.0
    assert Store(tmp_path / "f", other).known()["s"].lowest == -2.0


def test_a_new_folder_begins_with_what_is_kept_with_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(efforts, "FOUND", tmp_path / "kept.jsonl")
    Store(tmp_path / "kept.jsonl", "key").add(Known("s", -1.0, 2))
    store = Store(tmp_path / "folder/found.jsonl", "key")
    assert set(store.known()) == {"s"}
    store.add(Known("t", -1.5, 1))
    assert set(store.known()) == {"s", "t"}
    assert set(Store(tmp_path / "kept.jsonl", "key").known()) == {"s"}
