"""How often somebody may ask, and whose turn it is."""

import asyncio
import time

import pytest

from api.door.buckets import Buckets
from api.door.turns import Turns
from shared.errors import Unavailable


def test_a_bucket_fills_with_time_and_never_beyond_its_depth():
    now = 0.0
    buckets = Buckets(lambda: now)
    assert [buckets.take("a", 60, 2) for _ in range(3)] == [0, 0, 1]
    assert buckets.take("b", 60, 2) == 0
    now = 0.5
    assert buckets.take("a", 60, 2) == pytest.approx(0.5)
    now = 100.0
    assert [buckets.take("a", 60, 2) for _ in range(3)] == [0, 0, 1]


def test_a_long_body_counts_as_more_requests_and_is_paid_for_afterwards():
    now = 0.0
    buckets = Buckets(lambda: now)
    buckets.charge("a", 5, 60, 2)
    assert buckets.take("a", 60, 2) == pytest.approx(4)
    now = 4.0
    assert buckets.take("a", 60, 2) == 0


def test_a_place_rests_as_long_as_it_was_held_where_others_wait_too():
    async def run() -> None:
        turns = Turns(2, 1, patience_s=5, busy="")
        turn = await turns.take("a")
        await asyncio.sleep(0.1)
        turn.end(rest=True)
        assert turns.take_free("a") is None
        for _ in range(2):
            other = turns.take_free("b")
            assert other is not None
            other.end(rest=False)
        began = time.monotonic()
        (await turns.take("a")).release()
        assert 0.05 < time.monotonic() - began < 4  # not as long as its patience

    asyncio.run(run())


def test_those_who_wait_take_turns_by_user():
    async def run() -> list[str]:
        turns, served = Turns(2, 1, patience_s=5, busy=""), []

        async def ask(user: str) -> None:
            turn = await turns.take(user)
            served.append(user)
            await asyncio.sleep(0.01)
            turn.release()

        asks = [asyncio.create_task(ask(user)) for user in "aaaa"]
        await asyncio.sleep(0)
        asks += [asyncio.create_task(ask(user)) for user in "bbc"]
        await asyncio.gather(*asks)
        assert (turns._free, dict(turns._held), turns._waiting) == (2, {}, {})
        return served

    served = asyncio.run(run())
    assert served[:2] == ["a", "b"]  # a keeps no place from b
    assert served.index("c") <= 4  # behind one turn of each
    assert sorted(served) == sorted("aaaabbc")


def test_who_waits_in_vain_is_told_and_leaves_no_trace():
    async def run() -> None:
        turns = Turns(2, 1, patience_s=0.01, busy="busy")
        held = await turns.take("a")
        with pytest.raises(Unavailable, match="busy"):
            await turns.take("a")
        waiting = asyncio.create_task(turns.take("a"))
        await asyncio.sleep(0)
        waiting.cancel()
        held.release()
        held.release()
        await asyncio.gather(waiting, return_exceptions=True)
        (await turns.take("a")).release()
        assert (turns._free, turns._waiting) == (2, {})

    asyncio.run(run())
