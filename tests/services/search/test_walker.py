"""A walker on EMT: resumed at any hop it goes on to the last bit, and the seed alone decides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from services.forces import engine
from services.forces.answers import reply
from services.forces.potential import Potential
from services.forces.restraints import Restraints
from services.search import hopping
from services.search.walker import Found, Minimum, Walker
from shared.parameters import Hopping, JobParameters
from tests.services.search.test_hopping import co_on_copper
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")
ON_EMT = JobParameters(hopping=Hopping(hops=3, temperature_k=1500.0, timestep_fs=2.0))
START = co_on_copper()
RESTRAINTS = Restraints.build(START, START.only(START.slab), ON_EMT.restraints)
Journey = list[tuple[dict[str, Any], Found]]


def travel(*seed: int, resumed: bool = False) -> Iterator[tuple[dict[str, Any], Found]]:
    """The walker's document after each hop, and what it found. resumed: each hop from the document alone, once it has been
    given up halfway."""
    walker, known = hopping.begin(START, ON_EMT.hopping, seed), list[Minimum]()
    while hopping.ended(walker, (), ON_EMT) is None:
        if resumed:
            walker = Walker.from_document(json.loads(json.dumps(walker.to_document())), co_on_copper())
            halfway = hopping.hop(walker, known, RESTRAINTS, ON_EMT)
            asked = next(halfway)
            for _ in range(7):
                asked = reply(halfway, asked, EMT_MEMBER.evaluate([asked.structure])[0])
            halfway.close()
        after = engine.run(hopping.hop(walker, known, RESTRAINTS, ON_EMT), EMT_MEMBER)
        assert after.found is not None
        walker = after.walker
        known.append(Minimum(after.found.structure, after.found.energy))
        yield walker.to_document(), after.found


@pytest.fixture(scope="module")
def undisturbed() -> Journey:
    return list(travel(1))


def bits(journey: Journey) -> list[Any]:
    return [(document, {**vars(found), "structure": found.structure.digest}) for document, found in journey]


def test_a_walker_resumed_from_its_document_goes_on_to_the_last_bit(undisturbed):
    assert {found.accepted for _, found in undisturbed} == {True, False}
    assert bits(list(travel(1, resumed=True))) == bits(undisturbed)


def test_the_seed_alone_decides(undisturbed):
    assert bits(list(travel(1))) == bits(undisturbed)
    other = list(islice(travel(0), 2))
    assert bits(other)[0][1] == bits(undisturbed)[0][1]  # nothing is drawn for the placement's own relaxation
    assert bits(other)[1][1] != bits(undisturbed)[1][1]


def test_a_walker_finds_minima_of_the_bare_potential_and_counts_what_they_cost(undisturbed):
    for _, found in undisturbed:
        (answer,) = EMT_MEMBER.evaluate([found.structure])
        assert found.converged
        assert answer.energy == found.energy
        assert np.linalg.norm(answer.forces[found.structure.free], axis=1).max() == pytest.approx(found.fmax)
        assert found.fmax < 0.05
    assert undisturbed[-1][0]["force_calls"] == sum(found.force_calls for _, found in undisturbed)
    assert np.ptp([found.energy for _, found in undisturbed]) > ON_EMT.similarity.energy


def test_a_document_of_before_failures_were_counted_still_loads(undisturbed):
    document = dict(undisturbed[-1][0])
    del document["failures"]
    walker = Walker.from_document(document, co_on_copper())
    assert walker.to_document() == {**document, "failures": 0}


def test_a_walker_that_leaves_for_another_minimum_resumes_to_the_last_bit(undisturbed):
    known = [Minimum(found.structure, found.energy) for _, found in undisturbed]
    document, _ = undisturbed[1]
    energy = max(one.energy for one in known)
    stuck = Walker.from_document({**document, "failures": 2, "energy": energy}, co_on_copper())
    again = Walker.from_document(json.loads(json.dumps(stuck.to_document())), co_on_copper())
    hops = [engine.run(hopping.hop(one, known, RESTRAINTS, ON_EMT), EMT_MEMBER) for one in (stuck, again)]
    first, second = ([(hop.walker.to_document(), hop.found)] for hop in hops if hop.found is not None)
    assert bits(first) == bits(second)
    left = next(hopping.hop(stuck, known, RESTRAINTS, ON_EMT)).structure
    assert left.digest in {one.structure.digest for one in known} - {stuck.structure.digest}
