"""Column types and the pieces that several tables share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import numpy as np
from sqlalchemy import BigInteger, CheckConstraint, DateTime, Dialect, Double, Identity, Index, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from shared.states import State
from shared.structures import Floats

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Now = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Document = Annotated[dict[str, Any], mapped_column(JSONB)]


class Vectors(TypeDecorator[Floats]):
    """An [n, 3] array of doubles, flat in the database, exact to the last bit."""

    impl = ARRAY(Double)
    cache_ok = True

    def process_bind_param(self, value: Floats | None, dialect: Dialect) -> list[float] | None:
        return None if value is None else np.asarray(value, dtype=np.float64).ravel().tolist()

    def process_result_value(self, value: list[float] | None, dialect: Dialect) -> Floats | None:
        return None if value is None else np.array(value, dtype=np.float64).reshape(-1, 3)


def one_of(column: str, values: list[str], name: str) -> CheckConstraint:
    """A check constraint that holds a text column to a list."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


class Claimable:
    """Columns of a row that a worker may claim: a lease that ends by PostgreSQL's clock, and a fencing token.

    A result is written only where `token` is still the claimer's and the row still runs. The token stays when the row rests: it says
    when it was last claimed.
    """

    state: Mapped[str] = mapped_column(Text, default=State.QUEUED, server_default=State.QUEUED)
    owner: Mapped[str | None] = mapped_column(Text)
    """The worker that holds it."""
    token: Mapped[int | None] = mapped_column(BigInteger)
    """Of the claim, and of the last one where the row rests."""
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    claimed_for: Mapped[int | None] = mapped_column(BigInteger)
    """The user whose turn it was when it was last claimed: whose time its device time is."""
    expected_s: Mapped[float | None] = mapped_column(Double)
    """Device time that it was expected to take then, s; counts as used while the row runs."""
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    """Claims since its last result, the present one included."""
    failure_kind: Mapped[str | None] = mapped_column(Text)
    """As the failures of shared.errors call it."""
    failure_reason: Mapped[str | None] = mapped_column(Text)
    """For people."""


def claimable_checks() -> tuple[CheckConstraint, ...]:
    """State is known; a running row has an owner, a token and a lease, and no other row has an owner."""
    return (
        one_of("state", [state.value for state in State], "state"),
        CheckConstraint(
            "(state = 'running') = (owner IS NOT NULL AND lease_until IS NOT NULL)",
            name="running_has_lease",
        ),
        CheckConstraint("(state = 'failed') = (failure_kind IS NOT NULL)", name="failed_has_kind"),
    )


def claim_indexes(table: str) -> tuple[Index, ...]:
    """By member: the rows that run, and the few queued ones whose attempts didn't all end well."""
    return (
        Index(f"ix_{table}_running", "member", postgresql_where=text("state = 'running'")),
        Index(f"ix_{table}_again", "member", "attempts", postgresql_where=text("state = 'queued' AND attempts > 0")),
    )
