"""A job's own choice. A search that has ended never fails for a rule: where one can't be applied, what was found is ranked without
it, and the job's warnings say so."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from services.scoring import selection
from shared.database.repositories import selections
from shared.database.tables import Job
from shared.errors import InvalidInput
from shared.parameters import Choosing
from shared.scored import Outcome, Pool


@dataclass(frozen=True, eq=False)
class Choice:
    """What came of a job's rules."""

    rules: Choosing
    """Those that were applied."""
    limit: selections.SpreadLimit
    pool: Pool
    outcome: Outcome
    warnings: list[str]
    """Which rules were not applied, and what was done instead; for people."""


def choose(session: Session, job: Job) -> Choice:
    """Score every candidate of a job and choose by its own rules, as far as they can be applied."""
    rules = job.read_parameters().choosing(tuple(job.score_members))
    limit = selections.pinned_limit(session, job, rules)
    warnings = []
    if limit.value is None:
        warnings.append(
            "no calibrated limit could be had: the minima were ranked by their mean energy, however far the members disagree; "
            "choose again with a limit in eV, or with a calibration"
        )
    pool = selections.pool(session, job.id, rules.members)
    if len(pool.references) > 1:
        common, *others = pool.references
        warnings.append(
            f"energies with different references can't be compared: those relative to {common} were, and those relative to "
            f"{', '.join(others)} were left out"
        )
        pool = selections.pool(session, job.id, rules.members, reference=common)
    try:
        outcome = selection.choose(pool, rules, limit.bound)
    except InvalidInput as refused:
        warnings.append(f"{refused}: the minima were ranked by the plain mean of their energies")
        rules = rules.model_copy(update={"weights": {}})
        outcome = selection.choose(pool, rules, limit.bound)
    return Choice(rules, limit, pool, outcome, warnings)
