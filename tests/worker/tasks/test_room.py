"""How much an engine takes in, and whose work, when several users compete for its slots."""

import pytest

from worker.tasks.claiming import room


@pytest.mark.parametrize(
    ("held", "more", "besides"),
    [
        ({}, 8, set()),
        ({1: 5}, 3, set()),
        ({1: 8}, 4, {1}),  # full of one user's: another may come in all the same, with half
        ({1: 8, 2: 4}, 2, {1, 2}),
        ({1: 8, 2: 1}, 2, {1}),
        ({1: 8, 2: 4, 3: 4}, 0, {1, 2, 3}),
    ],
)
def test_a_full_engine_has_room_for_whoever_has_less_than_their_part(held, more, besides):
    assert room(held, 8) == (more, besides)
