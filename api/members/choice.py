"""Which members a job uses: those it names, or the server's defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.errors import InvalidInput, Unavailable
from shared.parameters import JobParameters, ScaleChoice
from shared.scales import Scale, usual


@dataclass(frozen=True)
class KnownMember:
    """What validation needs to know of a member."""

    name: str
    elements: frozenset[int]
    energy_kind: str
    """`total` or `adsorption`."""
    scale: Scale | None = None
    """Of its adsorption energies; None for the usual one of its kind of energy."""
    cautions: tuple[Any, ...] = ()
    """Documents of shared.cautions.Caution."""


class JobMembers(NamedTuple):
    """The members that will search, those that will refine, and those that will score."""

    search: list[KnownMember]
    refine: list[KnownMember]
    score: list[KnownMember]

    def scales(self, choice: ScaleChoice) -> dict[str, Scale]:
        """That of each member that scores, by name, for a job that chooses so."""
        own = choice is ScaleChoice.OWN_GAS
        return {one.name: usual(one.energy_kind) if own or one.scale is None else one.scale for one in self.score}

    @property
    def cautions(self) -> dict[str, tuple[Any, ...]]:
        """Of all of them, by name."""
        return {member.name: member.cautions for group in self for member in group}


def members_for(
    parameters: JobParameters,
    known: Mapping[str, KnownMember],
    *,
    default_search: Sequence[str],
    default_score: Sequence[str],
) -> JobMembers:
    """The members of a job, defaults filled in.

    Raises InvalidInput for a member asked for by name that no worker ever registered, and Unavailable where a default
    one is missing: that is the server's state, not the user's mistake.
    """
    return JobMembers(
        _members("search_members", parameters.ensemble.search_members, default_search, known),
        _members("refine_members", parameters.ensemble.refine_members, (), known),
        _members("score_members", parameters.ensemble.score_members, default_score, known),
    )


def _members(
    what: str, asked: Sequence[str], default: Sequence[str], known: Mapping[str, KnownMember]
) -> list[KnownMember]:
    names = list(dict.fromkeys(asked or default))
    missing = [name for name in names if name not in known]
    if missing and asked:
        there = f"registered are {', '.join(sorted(known))}" if known else "no worker has registered any member yet"
        raise InvalidInput(
            f"unknown member{'s' if len(missing) > 1 else ''} {', '.join(missing)}; {there}",
            field=f"parameters.ensemble.{what}",
        )
    if missing:
        raise Unavailable(
            f"no worker has registered the default member{'s' if len(missing) > 1 else ''} {', '.join(missing)} yet; "
            f"try again once its worker is up, or name other members in parameters.ensemble.{what}"
        )
    return [known[name] for name in names]


def check_size(parameters: JobParameters, n_search_members: int, max_walkers: int) -> None:
    """One walker for each placement and search member."""
    walkers = parameters.placement.count * n_search_members
    if walkers > max_walkers:
        raise InvalidInput(
            f"{parameters.placement.count} placements with {n_search_members} search members make {walkers} walkers; "
            f"at most {max_walkers} are allowed: lower the count",
            field="parameters.placement.count",
        )
