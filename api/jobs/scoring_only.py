"""What a job that is given its structures makes of its parameters: nothing is searched, so most of them have nothing to steer."""

from __future__ import annotations

from api.jobs.requests import JobRequest, StructuresInput
from api.members.choice import JobMembers
from shared.errors import InvalidInput
from shared.parameters import JobParameters
from shared.references import EnergyKind
from shared.submissions import Relax, StructuresSubmission, Submission

_OF_A_SEARCH = {"placement": frozenset({"allow_image_contact"}), "hopping": frozenset({"fmax", "max_relaxation_steps"})}
"""Parameters of a search that mean nothing here, but for these of them."""


def relaxed_by(request: JobRequest) -> Relax | None:
    """What is done to the structures that a job is given; None for a job that searches."""
    return request.input.relax if isinstance(request.input, StructuresInput) else None


def check_members(request: JobRequest, relax: Relax) -> None:
    """Raise InvalidInput for members that would have nothing to do."""
    ensemble = request.parameters.ensemble
    for role in ("search_members", "refine_members"):
        if getattr(ensemble, role) and relax is not Relax.SEARCH:
            raise InvalidInput(
                f"nothing is relaxed before it is scored where input.relax is `{relax}`: leave {role} out, or set input.relax to "
                "`search`",
                field=f"parameters.ensemble.{role}",
            )


def check_one_slab(found: JobMembers, submission: Submission) -> None:
    """Raise InvalidInput where some members measure against the clean slab as it was given, and others can't."""
    direct = [one.name for one in found.score if one.energy_kind != EnergyKind.TOTAL]
    given = isinstance(submission, StructuresSubmission) and submission.slab_as_given
    if given and direct and len(direct) < len(found.score):
        raise InvalidInput(
            f"{', '.join(direct)} predict{'s' if len(direct) == 1 else ''} energies relative to a relaxed clean slab, and those of "
            "the other members would be relative to the slab as given: leave input.slab out, or name members of one kind in "
            "parameters.ensemble.score_members",
            field="input.slab",
        )


def members(found: JobMembers, relax: Relax) -> JobMembers:
    """Who does what: where nothing is relaxed first, the first scoring member has the first look at each structure."""
    return found if relax is Relax.SEARCH else JobMembers(found.score[:1], [], found.score)


def parameters(asked: JobParameters) -> JobParameters:
    """As they are stored: no hops."""
    return asked.model_copy(update={"hopping": asked.hopping.model_copy(update={"hops": 0})})


def notes(asked: JobParameters) -> list[str]:
    """Sentences that name what was asked for and isn't used."""
    unused = [
        f"{group}.{name}"
        for group, used in _OF_A_SEARCH.items()
        for name in sorted(getattr(asked, group).model_fields_set - used)
    ]
    return [f"not used, since nothing is searched: {', '.join(unused)}"] if unused else []


def check_count(count: int, most: int) -> None:
    """Raise InvalidInput for more structures than one job may have."""
    if count > most:
        raise InvalidInput(
            f"{count:,} structures are too many for one job: at most {most:,} are allowed; submit them as several jobs",
            field="input.structures",
        )
