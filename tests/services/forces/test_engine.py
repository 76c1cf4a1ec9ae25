"""The engine on EMT: batches change no bit, and trouble stays with the walk that has it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.constraints import FixAtoms
from numpy.linalg import LinAlgError

from services.forces.engine import Engine, Outcome, run
from services.forces.potential import Card, Evaluation, Potential, Request, Walk
from services.forces.shares import Shares
from services.search import hopping
from services.search.minimisation import Relaxation, relax
from services.search.walker import Walker
from shared.errors import Diverged, OutOfMemory
from shared.parameters import Hopping, JobParameters
from shared.structures import Structure
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")
ON_EMT = JobParameters(hopping=Hopping(hops=2, temperature_k=1500.0, timestep_fs=2.0))


class SmallDevice:
    """EMT on a device that holds so many atoms at once; one that is asked about `bad` answers as `spoil` says."""

    def __init__(
        self,
        most_atoms: int = 10**9,
        bad: int | None = None,
        spoil: Callable[[Evaluation], Evaluation] = lambda answer: answer,
    ) -> None:
        self._most_atoms = most_atoms
        self._bad = bad
        self._spoil = spoil
        self.batches: list[int] = []
        self.refused: list[int] = []

    @property
    def card(self) -> Card:
        return EMT_MEMBER.card

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        atoms = sum(map(len, structures))
        if atoms > self._most_atoms:
            self.refused.append(atoms)
            raise OutOfMemory(f"{atoms} atoms don't fit")
        self.batches.append(atoms)
        answers = EMT_MEMBER.evaluate(structures)
        return [
            self._spoil(answer) if self._bad in one.numbers else answer
            for one, answer in zip(structures, answers, strict=True)
        ]


def adslab(symbol: str, metal: str = "Cu", layers: int = 2) -> Structure:
    slab = fcc111(metal, (2, 2, layers), vacuum=7.0, periodic=True)
    depth = slab.get_tags()
    add_adsorbate(slab, Atoms(symbol), 1.4, "bridge")
    slab.set_constraint(FixAtoms(np.flatnonzero(depth > 1)))
    return Structure.from_atoms(
        slab, adsorbate=np.arange(len(slab)) == len(depth), surface=np.append(depth == 1, False)
    )


STARTS = {"H": adslab("H"), "C": adslab("C", "Ni"), "N": adslab("N", layers=3), "O": adslab("O")}


def relaxation(start: Structure, max_steps: int = 12) -> Walk[Relaxation]:
    return relax(start, fmax=0.05, max_steps=max_steps)


def drained(engine: Engine) -> dict[Any, Outcome]:
    ended: dict[Any, Outcome] = {}
    while len(engine):
        for outcome in engine.step():
            assert outcome.key not in ended
            ended[outcome.key] = outcome
    return ended


def relaxed(potential: Potential, batch_atoms: int | None = None) -> dict[Any, Outcome]:
    engine = Engine(potential, batch_atoms=batch_atoms)
    for key, start in STARTS.items():
        engine.add(key, relaxation(start))
    return drained(engine)


def bits(result: Relaxation) -> tuple[Any, ...]:
    return result.structure.digest, result.energy, result.forces.tobytes(), result.fmax, result.steps


@pytest.fixture(scope="module")
def alone() -> dict[str, tuple[Any, ...]]:
    """Every relaxation driven by itself, without an engine."""
    return {key: bits(run(relaxation(start), EMT_MEMBER)) for key, start in STARTS.items()}


@pytest.mark.parametrize(
    ("batch_atoms", "first_batches"),
    [(None, [40]), (1, [9, 9, 13, 9]), (20, [18, 13, 9]), (22, [18, 22]), (40, [40])],
)
def test_batch_size_and_batch_mates_change_no_bit(alone, batch_atoms, first_batches):
    device = SmallDevice()
    ended = relaxed(device, batch_atoms)
    assert {key: bits(outcome.result) for key, outcome in ended.items()} == alone
    assert device.batches[: len(first_batches)] == first_batches


def test_walks_that_come_late_or_leave_early_change_no_bit(alone):
    engine = Engine(EMT_MEMBER)
    ended: dict[Any, Outcome] = {}
    for key, start in STARTS.items():
        engine.add(key, relaxation(start))
        engine.add((key, "leaves"), relaxation(start.moved(start.positions + 0.02)))
        for _ in range(3):
            ended |= {outcome.key: outcome for outcome in engine.step()}
        engine.drop((key, "leaves"))
    engine.drop("never there")
    ended |= drained(engine)
    assert {key: bits(outcome.result) for key, outcome in ended.items()} == alone


def test_hops_are_the_same_alone_and_in_company():
    def walk(seed: int) -> Walk[Walker]:
        walker = hopping.begin(STARTS["H"], ON_EMT.hopping, (seed,))
        for _ in range(2):
            walker = (yield from hopping.hop(walker, (), None, ON_EMT)).walker
        return walker

    engine = Engine(EMT_MEMBER)
    for seed in range(2):
        engine.add(seed, walk(seed))
    together = {key: outcome.result.to_document() for key, outcome in drained(engine).items()}
    assert together == {seed: run(walk(seed), EMT_MEMBER).to_document() for seed in range(2)}
    assert engine.force_calls == sum(document["force_calls"] for document in together.values())


@pytest.mark.parametrize("most_atoms", [39, 22, 13])
def test_out_of_memory_halves_the_batch_and_goes_on(alone, most_atoms):
    device = SmallDevice(most_atoms)
    ended = relaxed(device)
    assert {key: bits(outcome.result) for key, outcome in ended.items()} == alone
    assert device.refused[0] == 40
    # what was learned in the first step is kept
    assert len(device.refused) <= 3


def test_a_structure_that_does_not_fit_alone_ends_alone(alone):
    ended = relaxed(SmallDevice(12))
    error = ended.pop("N").error
    assert isinstance(error, OutOfMemory)
    assert "13 atoms" in str(error)
    assert {key: bits(outcome.result) for key, outcome in ended.items()} == {
        key: value for key, value in alone.items() if key != "N"
    }


def test_what_a_failed_forward_held_is_gone_before_the_next():
    class Tensor:
        """Stands for the memory of a forward."""

    held: list[weakref.ref[Tensor]] = []

    class Careless(SmallDevice):
        def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
            assert not any(reference() for reference in held)
            tensor = Tensor()
            held.append(weakref.ref(tensor))
            try:
                return super().evaluate(structures)
            except OutOfMemory as failure:
                raise OutOfMemory("the device is full") from failure

    device = Careless(20)
    engine = Engine(device)
    for key, start in STARTS.items():
        engine.add(key, relaxation(start))
    gc.disable()
    try:
        assert engine.step() == []
    finally:
        gc.enable()
    assert device.refused
    assert len(held) == len(device.refused) + len(device.batches)


def without_force(answer: Evaluation) -> Evaluation:
    return Evaluation(answer.energy, np.full_like(answer.forces, np.nan))


def without_energy(answer: Evaluation) -> Evaluation:
    return Evaluation(-np.inf, answer.forces)


def huge(answer: Evaluation) -> Evaluation:
    return Evaluation(answer.energy, 1e6 * answer.forces + 1e5)


@pytest.mark.parametrize("spoil", [without_force, without_energy, huge])
def test_an_answer_that_can_not_be_meant_ends_its_own_walk_only(alone, spoil):
    ended = relaxed(SmallDevice(bad=6, spoil=spoil))
    failed = ended.pop("C")
    assert isinstance(failed.error, Diverged)
    assert failed.result is None
    assert {key: bits(outcome.result) for key, outcome in ended.items()} == {
        key: value for key, value in alone.items() if key != "C"
    }


def test_numbers_that_run_away_inside_a_walk_end_it_as_diverged(alone):
    def singular() -> Walk[None]:
        yield Request(STARTS["H"])
        raise LinAlgError("Singular matrix")

    engine = Engine(EMT_MEMBER)
    engine.add("singular", singular())
    engine.add("H", relaxation(STARTS["H"]))
    ended = drained(engine)
    assert isinstance(ended["singular"].error, Diverged)
    assert bits(ended["H"].result) == alone["H"]


def test_a_walk_that_asks_for_nothing_ends_without_a_forward():
    def nothing() -> Walk[str]:
        return "done"
        yield

    engine = Engine(device := SmallDevice())
    engine.add("nothing", nothing())
    assert engine.step() == [Outcome("nothing", "done", None)]
    assert (device.batches, len(engine)) == ([], 0)


def test_a_key_is_taken_once():
    engine = Engine(EMT_MEMBER)
    engine.add("H", relaxation(STARTS["H"]))
    with pytest.raises(KeyError, match="H"):
        engine.add("H", relaxation(STARTS["O"]))
    assert engine.keys() == ["H"]


class Stopwatch:
    """A clock that only forwards on it move on: so much for each atom."""

    def __init__(self, potential: Potential = EMT_MEMBER, atom_s: float = 0.01) -> None:
        self.card, self._potential, self._atom_s = potential.card, potential, atom_s
        self.now_s = 0.0
        self.forwards: list[list[int]] = []

    def __call__(self) -> float:
        return self.now_s

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        self.now_s += self._atom_s * sum(map(len, structures))
        self.forwards.append([len(one) for one in structures])
        return self._potential.evaluate(structures)


def crowd(device: Stopwatch, large: int, small: int) -> Engine:
    """Walks of a large system's owner, and of a small one's."""
    engine = Engine(device, clock=device)
    for number in range(large):
        engine.add(("large", number), relaxation(LARGE), "large")
    for number in range(small):
        engine.add(("small", number), relaxation(STARTS["H"]), "small")
    return engine


LARGE = adslab("N", layers=30)


def test_who_has_a_small_system_is_not_served_at_the_pace_of_a_large_one(alone):
    device = Stopwatch()
    engine = crowd(device, large=8, small=1)
    ended: dict[Any, Outcome] = {}
    while ("small", 0) not in ended:
        ended |= {outcome.key: outcome for outcome in engine.step()}
    cost = ended["small", 0].cost
    assert bits(ended["small", 0].result) == alone["H"]
    assert cost.device_s == pytest.approx(0.01 * len(STARTS["H"]) * cost.force_calls)
    # as much for the others, and one forward of theirs; in rounds it were 121 atoms times eight for each of its nine
    assert device.now_s <= 2 * cost.device_s + 2 * 0.01 * len(LARGE)


def test_owners_have_the_same_time_whatever_the_size_of_their_systems():
    device = Stopwatch()
    engine = Engine(device, clock=device, shares=(shares := Shares()))
    for number in range(3):
        engine.add(("large", number), relaxation(LARGE, 1000), "large")
    for number in range(12):
        engine.add(("small", number), relaxation(STARTS["H"], 1000), "small")
    while device.now_s < 30:
        engine.step()
    assert abs(shares.spent_s("large") - shares.spent_s("small")) < 2 * 0.01 * 3 * len(LARGE)


def test_equal_owners_fill_a_forward_together():
    """None is served later than by itself, where others have their turns in between."""
    device = Stopwatch()
    engine = Engine(device, clock=device, batch_walks=8)
    for number in range(8):
        engine.add(number, relaxation(STARTS["H"], 1000), f"user {number % 4}")
    for _ in range(8):
        engine.step()
    assert device.forwards[4:] == [[9] * 8] * len(device.forwards[4:])
    assert len(device.forwards) >= 8


def test_one_owner_alone_has_every_walk_in_every_forward():
    device = Stopwatch()
    engine = crowd(device, large=0, small=4)
    engine.step()
    engine.step()
    assert device.forwards == [[9] * 4] * 2


def test_while_others_wait_a_forward_takes_a_second_at_most():
    device = Stopwatch(atom_s=0.002)
    engine = crowd(device, large=8, small=1)
    while engine.owners()["small"]:
        engine.step()
    assert max(sum(sizes) for sizes in device.forwards) <= 500
    assert any(121 in sizes for sizes in device.forwards)


def test_who_comes_late_is_owed_nothing():
    shares = Shares()
    shares.enter("first")
    shares.charge("first", 10.0)
    shares.enter("late")
    assert shares.spent_s("late") == 10.0
    shares.charge("late", 5.0)
    shares.leave("late")
    shares.charge("first", 2.0)
    shares.enter("late")  # and what they had already is not forgotten
    assert shares.spent_s("late") == 15.0
    assert shares.in_turn(["late", "first"]) == ["first", "late"]
