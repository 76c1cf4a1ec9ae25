"""The filter and the choice: trust what the members agree on, take the lowest, and say of every candidate why or why not.

Following the Open Catalyst Challenge 2023's winning method; success and failure as in AdsorbML, Lan et al., npj Comput. Mater.
9, 172 (2023), doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.ensemble import Summaries, one_reference, summarise, weights_of
from services.scoring.offsets import Offsets, decompose
from shared.parameters import Choosing, Spread
from shared.scored import Outcome, Pool
from shared.soundness import spoils
from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True, eq=False)
class _Filtered:
    """What keeps each candidate from being trusted."""

    summaries: Summaries
    anomalous: Mask
    """[n]. This one and the next are what isn't sound (shared.soundness)."""
    unconverged: Mask
    """[n]."""
    too_few: Mask
    """Members that scored it [n]."""
    too_wide: Mask
    """Its spread [n]."""
    untold: Mask
    """Its spread, where it is the relative one [n]."""
    spread: Floats
    """The one that was asked for, eV [n]."""

    @property
    def passes(self) -> Mask:
        return ~(self.anomalous | self.unconverged | self.too_few | self.too_wide | self.untold)


def choose(pool: Pool, rules: Choosing, limit: float) -> Outcome:
    """Score, filter and rank. limit: eV, of `rules.spread`, by which candidates are filtered.

    Chosen are the lowest means among the distinct candidates that pass: `rules.count` of them, none further than `rules.window` above
    the lowest. Of candidates that are the same minimum one is taken, a passing one if there is one: the first one found may be
    the one that failed. Where nothing passes, the lowest mean of all is chosen alone, marked (one without anomaly if there is
    one): an empty answer is of no use. Ties go to the smaller key. No candidate with an energy: nothing is chosen.

    Raises InvalidInput where the energies have different references, and for a weight of a member that the pool doesn't have.
    """
    one_reference(pool.references)
    summaries = summarise(pool.energies, weights_of(pool.members, rules.weights))
    offsets = offsets_of(pool, summaries.mean)
    filtered = _filter(pool, summaries, offsets, rules, limit)
    passes = filtered.passes
    line = _line(pool, summaries.mean, passes)
    n_passing = int(passes[line].sum())
    within = _within(summaries.mean[line[:n_passing]], rules.window)
    chosen = line[: min(within, rules.count)] if n_passing else line[:1]
    rank = np.full(len(pool), -1)
    rank[chosen] = np.arange(len(chosen))
    reasons = _reasons(pool, filtered, offsets.n, rules.spread, limit)
    same_as = _same_as(pool, line)
    return Outcome(
        mean=summaries.mean,
        std=summaries.std,
        range=summaries.range,
        relative=offsets.relative,
        offset=offsets.offset,
        offset_spread=offsets.spread,
        n_offsets=offsets.n,
        n=summaries.n,
        passes=passes,
        reasons=reasons,
        rank=rank,
        same_as=same_as,
        verdicts=_verdicts(pool, summaries.mean, reasons, same_as, line, n_passing, len(chosen), rules),
        low_confidence=bool(len(chosen)) and not n_passing,
    )


def offsets_of(pool: Pool, mean: Floats) -> Offsets:
    """The members' offsets and relative spreads of a pool's candidates, taken from its distinct minima. mean: eV [n]."""
    return decompose(pool.energies, distinct(pool, mean))


def distinct(pool: Pool, mean: Floats) -> Mask:
    """Sound candidates, one of each minimum [n]: those that members' offsets are taken from. The lowest stands for its minimum, not
    the first one found: which that is goes by the order in which walkers happened to end. mean: eV [n]."""
    sound = pool.converged & np.array([not names for names in pool.anomalies], dtype=np.bool_)
    rows = np.flatnonzero(sound)
    kept = np.zeros(len(pool), dtype=np.bool_)
    kept[_one_of_each(pool, rows[np.lexsort((pool.keys[rows], mean[rows]))])] = True
    return kept


def _one_of_each(pool: Pool, order: Integers) -> Integers:
    """Of these indices the first of each minimum, in their order."""
    _, earliest = np.unique(pool.first[order], return_index=True)
    return np.asarray(order[np.sort(earliest)])


def _filter(pool: Pool, summaries: Summaries, offsets: Offsets, rules: Choosing, limit: float) -> _Filtered:
    spread = offsets.relative if rules.spread is Spread.RELATIVE else summaries.spread(rules.spread)
    # the comparison is false for the NaN of a single member, who is refused by his number
    with np.errstate(invalid="ignore"):
        too_wide = spread > limit
    several = summaries.n > 1
    return _Filtered(
        summaries=summaries,
        spread=spread,
        anomalous=np.array(
            [spoils(names, include_anomalous=rules.include_anomalous) for names in pool.anomalies], dtype=np.bool_
        ),
        unconverged=~pool.converged,
        too_few=~several,
        too_wide=too_wide,
        untold=several & np.isnan(spread),
    )


def _line(pool: Pool, mean: Floats, passes: Mask) -> Integers:
    """Indices of the distinct scored candidates, one of each minimum: those that pass first, each part by mean, then key."""
    scored = np.flatnonzero(~np.isnan(mean))
    anomalous = np.array([bool(names) for names in pool.anomalies], dtype=np.bool_)[scored]
    failing = ~passes[scored]
    # anomalies tell only failing candidates apart: others were asked for with theirs
    order = scored[np.lexsort((pool.keys[scored], mean[scored], anomalous & failing, failing))]
    return _one_of_each(pool, order)


def _within(means: Floats, window: float | None) -> int:
    """How many of these rising means, eV, are within the window above the first."""
    if window is None or not len(means):
        return len(means)
    return int((means <= means[0] + window).sum())


def _reasons(pool: Pool, filtered: _Filtered, n_offsets: int, spread: Spread, limit: float) -> list[str]:
    """What keeps each candidate from passing, in words; empty for those that pass."""
    found = [""] * len(pool)

    def add(which: Mask, words: Sequence[str]) -> None:
        for index, reason in zip(np.flatnonzero(which).tolist(), words, strict=True):
            found[index] = f"{found[index]}; {reason}" if found[index] else reason

    add(filtered.anomalous, [pool.anomalies[index] for index in np.flatnonzero(filtered.anomalous).tolist()])
    add(
        filtered.unconverged,
        [f"not converged: fmax {fmax:.3f} eV/Å" for fmax in pool.fmax[filtered.unconverged].tolist()],
    )
    counts = filtered.summaries.n[filtered.too_few].tolist()
    add(filtered.too_few, ["scored by one member, two are needed" if n else "not scored" for n in counts])
    values = filtered.spread[filtered.too_wide].tolist()
    named = "relative spread" if spread is Spread.RELATIVE else str(spread)
    add(filtered.too_wide, [f"{named} {value:.2f} eV exceeds the limit of {limit:.2f} eV" for value in values])
    untold = f"no relative spread: it needs two distinct sound minima that members share, and there {_are(n_offsets)}"
    add(filtered.untold, [untold] * int(filtered.untold.sum()))
    return found


def _are(n: int) -> str:
    return f"is {n or 'none'}" if n < 2 else f"are {n}"


def _verdicts(
    pool: Pool,
    mean: Floats,
    reasons: list[str],
    same_as: Integers,
    line: Integers,
    n_passing: int,
    n_chosen: int,
    rules: Choosing,
) -> list[str]:
    """Why each candidate was chosen, or why not."""
    verdicts = reasons.copy()
    same = np.flatnonzero(same_as != pool.keys)
    for index, key in zip(same.tolist(), same_as[same].tolist(), strict=True):
        verdicts[index] = f"same minimum as #{key}"
    heights = (mean[line[:n_passing]] - (mean[line[0]] if len(line) else 0.0)).tolist()
    for place, (index, above) in enumerate(zip(line[:n_passing].tolist(), heights, strict=True)):
        if place < n_chosen:
            verdicts[index] = _chosen(place, above, n_passing)
        elif rules.window is not None and above > rules.window:
            verdicts[index] = f"{above:.2f} eV above the lowest, beyond the window of {rules.window:.2f} eV"
        else:
            verdicts[index] = f"rank {place}, {above:.2f} eV above the lowest; the {n_chosen} lowest are chosen"
    if not n_passing and len(line):
        lowest = int(line[0])
        verdicts[lowest] = f"low confidence: nothing passed the filter; the lowest: {reasons[lowest]}"
    return verdicts


def _same_as(pool: Pool, line: Integers) -> Integers:
    """The key of the candidate that stands for each one's minimum [n]; its own where there is none."""
    if not len(line):
        return pool.keys
    order = line[np.argsort(pool.first[line])]
    place = np.minimum(np.searchsorted(pool.first[order], pool.first), len(order) - 1)
    there = pool.first[order][place] == pool.first
    return np.asarray(np.where(there, pool.keys[order[place]], pool.keys))


def _chosen(place: int, above: float, n_passing: int) -> str:
    if place == 0:
        if n_passing == 1:
            return "chosen: the only minimum that passes the filter"
        return f"chosen: the lowest of {n_passing} distinct minima that pass the filter"
    return f"chosen: rank {place}, {above:.2f} eV above the lowest"
