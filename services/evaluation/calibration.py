"""From a lab's own reference energies: the limit of the spread that keeps a promise.

The promise: of the candidates whose spread is within the limit, at least the target share (90 %) is within 0.1 eV of the
reference; a limit that was learned breaks it with a probability of at most `RISK`. Limits are tried from the narrowest that could
pass upward, by fixed-sequence testing of Clopper-Pearson bounds (Learn then Test: Angelopoulos, Bates, Candès, Jordan & Lei,
arXiv:2110.01052; Clopper & Pearson, Biometrika 26, 404 (1934), doi:10.1093/biomet/26.4.404). The limits tried are quantiles
of the spread alone, so conditional on the spreads the counts are binomial. Candidates of one system are alike: counts are
divided by the design effect of the whole set first, and every check splits systems, never the candidates of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from services.evaluation.challenge import THRESHOLD
from services.evaluation.shares import Interval, Share, interval, share
from services.evaluation.tables import Correlation, correlate
from shared.errors import InvalidInput
from shared.structures import Floats, Integers, Mask

RISK = 0.1
"""Probability that a limit which was learned breaks its promise."""
STEPS = 20
"""Limits that are tried."""
FEWEST = 30
"""Pairs below which nothing is learned."""


@dataclass(frozen=True)
class Target:
    """What a limit promises."""

    share: float = 0.9
    """Of the kept candidates, within `error` of the reference."""
    error: float = THRESHOLD
    """eV."""


@dataclass(frozen=True)
class Bin:
    """Candidates of like spread."""

    low: float
    """Of the spread, eV."""
    high: float
    """Of the spread, eV."""
    count: int
    mean_error: float
    """eV."""
    within: Share
    """Within the target's error."""


@dataclass(frozen=True)
class HeldOut:
    """Learned on random halves of the systems, checked on the other halves."""

    halves: int
    learned: int
    """Halves that gave a limit."""
    reached: int
    """Those of them where the share that was seen reached the target."""
    kept: int
    """Those where it did, or missed it by no more than chance (the target lies inside its 95 % Clopper-Pearson interval)."""
    within: float
    """Mean share within the target's error."""
    share_kept: float
    """Mean share kept."""


@dataclass(frozen=True)
class Calibration:
    """The limit that was learned, and what speaks for it."""

    target: Target
    risk: float
    """Probability that the limit breaks its promise."""
    count: int
    """Pairs it was learned from."""
    systems: int
    """Of these pairs."""
    design_effect: float
    """By how much the pairs count for less than independent ones."""
    limit: float | None
    """eV; None where no limit keeps the promise."""
    interval: Interval
    """90 %, of the limits that redrawn systems give (0 where they give none), eV."""
    kept: Share
    """Of the pairs it was learned from."""
    within: Share
    """Of those that are kept, within the target's error."""
    correlation: Correlation | None
    bins: list[Bin]
    held_out: HeldOut


def calibrate(
    spreads: Floats, errors: Floats, systems: Integers, target: Target | None = None, *, seed: int = 0
) -> Calibration:
    """Learn the limit from pairs of spread and absolute error, eV [n]; systems: which one each belongs to [n].

    Raises InvalidInput for fewer than `FEWEST` pairs.
    """
    target = target or Target()
    if len(spreads) < FEWEST:
        raise InvalidInput(
            f"{len(spreads)} candidates have a reference energy and all members' energies; a limit needs {FEWEST} at least",
            field="members",
        )
    good = errors <= target.error
    effect = design_effect(good, systems)
    limit = learn(spreads, good, target.share, effect)
    kept = spreads <= (-1.0 if limit is None else limit)

    def again(which: Integers) -> float:
        return learn(spreads[which], good[which], target.share, effect) or 0.0

    return Calibration(
        target=target,
        risk=RISK,
        count=len(spreads),
        systems=len(np.unique(systems)),
        design_effect=effect,
        limit=limit,
        interval=interval(again, systems, seed=seed, draws=300, level=0.9),
        kept=share(kept, systems, seed=seed),
        within=share(good[kept], systems[kept], seed=seed),
        correlation=correlate(spreads, errors, systems, seed=seed),
        bins=_bins(spreads, errors, good, systems),
        held_out=held_out(spreads, good, systems, target.share, seed=seed),
    )


def learn(spreads: Floats, good: Mask, target: float, effect: float = 1.0) -> float | None:
    """The widest limit, eV, up to which every limit tried keeps the promise; None where the first one doesn't.

    spreads: eV [n]. good: within the error that is aimed at [n]. effect: by how much the counts are worth less than independent ones.
    """
    order = np.argsort(spreads, kind="stable")
    ladder, hits = spreads[order], np.cumsum(good[order])
    n = len(ladder)
    least = effect * np.log(RISK) / np.log(target)  # so many, all of them good, would just do
    found = None
    for step in np.unique(np.ceil(n * np.arange(1, STEPS + 1) / STEPS).astype(int)):
        # all with the same spread go together
        end = int(np.searchsorted(ladder, ladder[step - 1], side="right"))
        if end < least:
            continue
        if lower_bound(hits[end - 1] / effect, end / effect, RISK) < target:
            break
        found = float(ladder[end - 1])
    return found


def lower_bound(hits: float, count: float, risk: float) -> float:
    """Clopper and Pearson's: the true share is below this with a probability of `risk` at most. Counts need not be whole."""
    return float(beta.ppf(risk, hits, count - hits + 1)) if hits > 0 else 0.0


def design_effect(good: Mask, systems: Integers) -> float:
    """Variance of a share over that of independent candidates, at least 1 (Kish, Survey Sampling, 1965).

    One system of middling size is added of which half is good: a few systems that all went well don't show that the next one
    will, and without it they would count as that many independent candidates.
    """
    own = np.unique(systems, return_inverse=True)[1]
    sizes = np.bincount(own).astype(float)
    total = np.append(sizes, sizes.mean())
    hits = np.append(np.bincount(own, weights=good.astype(float)), sizes.mean() / 2)
    p, k = float(hits.sum() / total.sum()), len(total)
    variance = float(((hits - p * total) ** 2).sum()) * k / (k - 1)
    return max(1.0, variance / (float(total.sum()) * p * (1 - p)))


def _bins(spreads: Floats, errors: Floats, good: Mask, systems: Integers, n_bins: int = 8) -> list[Bin]:
    """Equal counts, rising spread."""
    found = []
    for part in np.array_split(np.argsort(spreads, kind="stable"), min(n_bins, max(1, len(spreads) // 5))):
        low, high = float(spreads[part[0]]), float(spreads[part[-1]])
        found.append(Bin(low, high, len(part), float(errors[part].mean()), share(good[part], systems[part])))
    return found


def held_out(
    spreads: Floats, good: Mask, systems: Integers, target: float, *, halves: int = 100, seed: int = 0
) -> HeldOut:
    """Whether the promise holds on systems that the limit wasn't learned from."""
    rng = np.random.default_rng(seed)
    names = np.unique(systems)
    learned = held = reached = 0
    within, kept_shares = [], []
    for _ in range(halves):
        mine = np.isin(systems, rng.permutation(names)[: len(names) // 2])
        limit = (
            learn(spreads[mine], good[mine], target, design_effect(good[mine], systems[mine])) if mine.any() else None
        )
        if limit is None:
            continue
        learned += 1
        kept = ~mine & (spreads <= limit)
        kept_shares.append(float(kept[~mine].mean()))
        if not kept.any():  # nothing kept, nothing broken
            held, reached = held + 1, reached + 1
            continue
        seen = float(good[kept].mean())
        within.append(seen)
        effect = design_effect(good[kept], systems[kept])
        highest = 1 - lower_bound((~good[kept]).sum() / effect, kept.sum() / effect, 0.025)
        reached += seen >= target
        held += seen >= target or highest >= target
    return HeldOut(
        halves,
        learned,
        int(reached),
        int(held),
        float(np.mean(within)) if within else float("nan"),
        float(np.mean(kept_shares)) if kept_shares else 0.0,
    )
