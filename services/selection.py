"""The filter and the choice: trust what the members agree on, take the lowest.

Following the Open Catalyst Challenge 2023's winning method; success and failure as in AdsorbML, Lan et al., npj Comput. Mater.
9, 172 (2023), doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ensemble import Summary, summarise
from shared.parameters import Ensemble, Selection


@dataclass(frozen=True)
class Scored:
    """A candidate with what is known of it. energies: adsorption energy by member, eV; references: what each is relative to;
    fmax: eV/Å; duplicate_of: the key of the earlier candidate that is the same minimum."""

    key: int
    energies: Mapping[str, float]
    references: Mapping[str, str]
    converged: bool
    fmax: float
    anomalies: tuple[str, ...] = ()
    duplicate_of: int | None = None


@dataclass(frozen=True)
class Judged:
    """The ensemble's summary and the verdict; `reason` is empty where the candidate passes."""

    key: int
    summary: Summary
    passes: bool
    reason: str
    anomalous: bool
    duplicate_of: int | None


@dataclass(frozen=True)
class Choice:
    """A chosen candidate. rank 0 is the putative global minimum."""

    rank: int
    key: int
    low_confidence: bool
    reason: str


def judge(candidate: Scored, ensemble: Ensemble, selection: Selection) -> Judged:
    """Whether a candidate passes the filter, and why not."""
    summary = summarise(candidate.energies, candidate.references)
    anomalies = () if selection.include_anomalous else candidate.anomalies
    spread = summary.spread(ensemble.spread)
    reasons = []
    if anomalies:
        reasons.append(", ".join(anomalies))
    if not candidate.converged:
        reasons.append(f"not converged: fmax {candidate.fmax:.3f} eV/Å")
    if summary.n < 2:
        reasons.append("not scored" if summary.n == 0 else "scored by one member, two are needed")
    if spread is not None and spread > ensemble.limit:
        reasons.append(f"{ensemble.spread} {spread:.2f} eV exceeds the limit of {ensemble.limit:.2f} eV")
    return Judged(
        candidate.key, summary, not reasons, "; ".join(reasons), bool(candidate.anomalies), candidate.duplicate_of
    )


def choose(judged: Sequence[Judged], selection: Selection) -> list[Choice]:
    """The lowest mean energies among the distinct candidates that pass: `selection.count`, or as many as there are.

    Of candidates that are the same minimum one is taken, a passing one if there is one: the first one found may be the
    one that failed. Where nothing passes, the lowest mean of all is returned alone, marked, with its reason (one without
    anomaly if there is one): an empty answer is of no use. Ties go to the smaller key. No candidate with an energy: an
    empty list.
    """
    scored = [(one, one.summary.mean) for one in judged if one.summary.mean is not None]
    # what is preferred comes first; anomalies tell only failing candidates apart
    scored.sort(
        key=lambda entry: (not entry[0].passes, entry[0].anomalous and not entry[0].passes, entry[1], entry[0].key)
    )
    distinct: dict[int, Judged] = {}
    for one, _ in scored:
        distinct.setdefault(one.key if one.duplicate_of is None else one.duplicate_of, one)
    passing = [one for one in distinct.values() if one.passes]
    if passing:
        return [Choice(rank, one.key, False, "") for rank, one in enumerate(passing[: selection.count])]
    return [
        Choice(0, one.key, True, f"nothing passed the filter; the lowest: {one.reason}")
        for one in list(distinct.values())[:1]
    ]
