"""A limit that was learned from a batch that didn't fit is tried larger again, and one that is allowed is kept."""

from services.forces.batch_limit import GROW_AFTER, BatchLimit


def fit(limit: BatchLimit, times: int) -> None:
    for _ in range(times):
        limit.fits(limit.atoms or 0)


def test_it_halves_what_did_not_fit_and_grows_back():
    limit = BatchLimit()
    limit.too_large(4000)
    assert limit.atoms == 2000
    fit(limit, 2 * GROW_AFTER - 1)
    assert limit.atoms == 2000
    fit(limit, 1)
    assert limit.atoms == 2500
    limit.too_large(2500)
    assert limit.atoms == 1250
    fit(limit, 2 * GROW_AFTER)
    assert limit.atoms == 1250  # it waits longer each time that it was wrong
    fit(limit, 2 * GROW_AFTER)
    assert limit.atoms == 1562


def test_small_batches_tell_nothing():
    limit = BatchLimit(1000)
    for _ in range(10 * GROW_AFTER):
        limit.fits(700)
    assert limit.atoms == 1000


def test_what_an_entry_allows_is_never_exceeded():
    limit = BatchLimit(90, allowed=100)
    fit(limit, 10 * GROW_AFTER)
    assert limit.atoms == 100
    assert BatchLimit().atoms is None


def test_one_atom_is_the_least():
    limit = BatchLimit()
    limit.too_large(1)
    assert limit.atoms == 1
    fit(limit, 2 * GROW_AFTER)
    assert limit.atoms == 2
