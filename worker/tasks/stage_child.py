"""What the process of the CPU stages answers (a `shared.children.child.Answering`): arrays in, arrays out, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.geometry import similarity
from services.systems import find
from services.systems.assembly import System
from services.systems.placement import Placed
from shared.given import Given
from shared.parameters import JobParameters, Similarity
from shared.structures import Structure
from shared.submissions import Submission

_SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)


@dataclass(frozen=True)
class Placing:
    """Where do the walkers of a job start? Answered with the system and its placements."""

    submission: dict[str, object]
    """As stored with the job."""
    parameters: JobParameters
    max_atoms: int
    given: Given | None = None

    def answer(self) -> tuple[System, list[Placed]]:
        """Raises InvalidInput for a system that can't be put together as asked."""
        submission = _SUBMISSION.validate_python(self.submission)
        return find.find_placements(submission, self.parameters, max_atoms=self.max_atoms, given=self.given)


@dataclass(frozen=True)
class Comparing:
    """Which of these minima are the same? Answered with the index of each one's first (services.geometry.similarity)."""

    structures: Sequence[Structure]
    means: Sequence[float]
    """eV [n]."""
    tolerances: Similarity

    def answer(self) -> list[int]:
        return similarity.representatives(self.structures, self.means, self.tolerances)


def warm_up() -> None:
    """All that is imported late is there."""
    find.rehearse()


def answer(request: Placing | Comparing) -> tuple[System, list[Placed]] | list[int]:
    """Raises InvalidInput where the question does."""
    return request.answer()
