"""The members that workers have registered, and the workers that host them now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from api.members.choice import KnownMember
from shared.database.repositories.workers import is_fresh
from shared.database.tables import RegisteredMember, Worker
from shared.scales import Scale
from shared.states import MemberState, WorkerKind


@dataclass(frozen=True)
class Fleet:
    """The workers with a recent heartbeat, by what they can do."""

    cpu: int
    """Ready CPU workers."""
    members: dict[str, int]
    """How many ready workers host each member."""
    unready: dict[str, str]
    """Why a worker that hosts the member is not ready, by member."""
    absent: frozenset[str]
    """Members that no ready worker has loaded, as far as these workers tell: they load it when they need it."""

    def absence(self, member: str) -> str:
        """Why this member isn't served, for one that no ready worker hosts."""
        if member in self.unready:
            return f"the worker with {member} is not ready: {self.unready[member]}"
        return f"no worker hosts {member}"


_TOLD = ("kind", "ready", "reason", "members", "member_states")
_DOCUMENT = func.jsonb_build_object(
    *chain.from_iterable((literal_column(f"'{name}'"), getattr(Worker, name)) for name in _TOLD)
)
FRESH_WORKERS: ColumnElement[list[dict[str, Any]] | None] = (
    select(func.jsonb_agg(aggregate_order_by(_DOCUMENT, Worker.name))).where(is_fresh()).scalar_subquery()
)
"""What `fleet_of` reads, as a column of any statement."""


def fleet(session: Session) -> Fleet:
    """Who can work now."""
    return fleet_of(session.scalar(select(FRESH_WORKERS)))


def fleet_of(workers: Sequence[Mapping[str, Any]] | None) -> Fleet:
    """Who of these workers can do what: documents of FRESH_WORKERS."""
    cpu, members, unready = 0, dict[str, int](), dict[str, str]()
    loaded = set[str]()
    for worker in workers or ():
        if worker["ready"] and worker["kind"] == WorkerKind.CPU:
            cpu += 1
        unfit = {one["member"]: one["reason"] for one in worker["member_states"] if one["state"] == MemberState.UNFIT}
        absent = {one["member"] for one in worker["member_states"] if one["state"] == MemberState.ABSENT}
        for member in worker["members"]:
            if worker["ready"] and member not in unfit:
                members[member] = members.get(member, 0) + 1
                if member not in absent:
                    loaded.add(member)
            else:
                unready[member] = unfit.get(member) or worker["reason"]
    return Fleet(cpu, members, unready, frozenset(members.keys() - loaded))


def registered_members(session: Session) -> Sequence[RegisteredMember]:
    """All members ever registered, by name."""
    return session.scalars(select(RegisteredMember).order_by(RegisteredMember.name)).all()


def known_members(session: Session) -> dict[str, KnownMember]:
    """What a submission is checked against, by name."""
    return {
        row.name: KnownMember(
            name=row.name,
            elements=frozenset(row.elements),
            energy_kind=row.energy_kind,
            scale=None if row.scale is None else Scale.model_validate(row.scale),
            cautions=tuple(row.cautions),
        )
        for row in registered_members(session)
    }
