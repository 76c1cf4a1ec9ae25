"""Forwards on a thread of their own: the same bits, and the next one sent where that pays."""

import time
from collections.abc import Callable
from concurrent.futures import wait

import pytest

from services.forces.engine import Engine
from services.forces.potential import Evaluation, Request
from tests.shared.database.jobs import STRUCTURE
from worker.tasks.device import Device, _pays


class Waiting:
    """Takes a time a forward, whatever is in it."""

    def __init__(self, forward_s: float) -> None:
        self._forward_s = forward_s
        self.sizes: list[int] = []
        self.busy = False

    def evaluate(self, structures):
        self.sizes.append(len(structures))
        self.busy = True
        time.sleep(self._forward_s)
        self.busy = False
        return [Evaluation(float((one.positions**2).sum()), -2 * one.positions) for one in structures]


def steps(n: int, thinks_s: float = 0.0, thinking: Callable[[], object] = lambda: None):
    """A walk that goes downhill n times, and thinks in between."""
    here, energies = STRUCTURE, []
    for _ in range(n):
        answer = yield Request(here)
        time.sleep(thinks_s / 2)
        thinking()
        time.sleep(thinks_s / 2)
        energies.append(answer.energy)
        here = here.moved(here.positions + 0.1 * answer.forces)
    return energies


def driven(engine: Engine, device: Device) -> dict:
    ended = {}
    while len(engine):
        engine.begin()
        while device.free and device.send("one", engine):
            pass
        wait(device.futures[:1])
        flight = device.landed()
        while device.free and device.send("one", engine):
            pass
        began = time.perf_counter()
        outcomes = engine.answer(flight.batch, flight.future.result())
        device.forget(flight, time.perf_counter() - began)
        ended |= {outcome.key: outcome.result for outcome in outcomes}
    device.close()
    return ended


@pytest.mark.parametrize(("walks", "batch_walks"), [(1, 4), (4, 4), (6, 4), (8, 4), (9, 4)])
def test_a_walk_has_the_same_answers_however_it_is_batched(walks, batch_walks):
    engine = Engine(Waiting(0.002), batch_walks=batch_walks, clock=time.perf_counter)
    alone = Engine(Waiting(0.0))
    alone.add(0, steps(5))
    expected = next(one for _ in range(9) for one in alone.step()).result
    for key in range(walks):
        engine.add(key, steps(5, 0.001))
    assert driven(engine, Device(batch_walks)) == dict.fromkeys(range(walks), expected)


def test_a_second_forward_is_sent_where_walks_think_and_there_are_enough_of_them():
    potential = Waiting(0.05)
    engine, device = Engine(potential, batch_walks=4, clock=time.perf_counter), Device(4)
    beside: list[bool] = []
    for key in range(8):
        engine.add(key, steps(6, 0.01, lambda: beside.append(potential.busy)))
    driven(engine, device)
    assert set(potential.sizes[1:]) == {4}
    # 48 thoughts, of which those after the last forward have none beside them
    assert sum(beside) > len(beside) / 2


def test_walks_that_fit_into_one_forward_are_not_parted():
    potential = Waiting(0.01)
    engine = Engine(potential, batch_walks=4, clock=time.perf_counter)
    for key in range(4):
        engine.add(key, steps(6, 0.001))
    driven(engine, Device(4))
    assert potential.sizes == [4] * 6


def test_a_walk_that_is_dropped_while_its_forward_runs_is_left_out_of_the_answer():
    engine, device = Engine(Waiting(0.05), batch_walks=4), Device(4)
    for key in range(2):
        engine.add(key, steps(1))
    engine.begin()
    device.send("one", engine)
    assert engine.drop(0).force_calls == 0
    wait(device.futures)
    flight = device.landed()
    assert [outcome.key for outcome in engine.answer(flight.batch, flight.future.result())] == [1]
    device.close()


@pytest.mark.parametrize(
    ("waiting", "on_their_way", "thought", "pays"),
    [
        (1, 0, 0.0, True),  # nothing to wait for
        (0, 5, 0.5, False),
        (16, 48, 0.3, False),  # all fit into one forward
        (64, 64, 0.1, True),  # two full ones
        (16, 64, 0.3, False),
        (48, 64, 0.3, True),
    ],
)
def test_two_parts_are_sent_apart_where_that_is_sooner_than_one_after_thought(waiting, on_their_way, thought, pays):
    assert _pays(waiting, on_their_way, 64, thought) is pays


def test_where_memory_holds_half_of_them_the_other_half_is_sent_beside():
    potential = Waiting(0.03)
    atoms = len(STRUCTURE)
    engine, device = Engine(potential, batch_walks=8, batch_atoms=4 * atoms, clock=time.perf_counter), Device(8)
    for key in range(8):
        engine.add(key, steps(3, 0.01))
    engine.begin()
    assert device.send("one", engine)
    device._thought["one"] = 0.1
    assert device.send("one", engine)
    device.close()
    assert potential.sizes[0] == 4
