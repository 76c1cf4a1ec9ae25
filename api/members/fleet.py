"""The members that workers have registered, and the workers that host them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.members.choice import KnownMember
from shared.database.repositories.workers import fresh_workers
from shared.database.tables import RegisteredMember
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

    def absence(self, member: str) -> str:
        """Why this member isn't served, for one that no ready worker hosts."""
        if member in self.unready:
            return f"the worker with {member} is not ready: {self.unready[member]}"
        return f"no worker hosts {member}"


def fleet(session: Session) -> Fleet:
    """Who can work now."""
    cpu, members, unready = 0, dict[str, int](), dict[str, str]()
    for worker in fresh_workers(session):
        if worker.ready and worker.kind == WorkerKind.CPU:
            cpu += 1
        unfit = {one["member"]: one["reason"] for one in worker.member_states if one["state"] == MemberState.UNFIT}
        for member in worker.members:
            if worker.ready and member not in unfit:
                members[member] = members.get(member, 0) + 1
            else:
                unready[member] = unfit.get(member) or worker.reason
    return Fleet(cpu, members, unready)


def registered_members(session: Session) -> Sequence[RegisteredMember]:
    """All members ever registered, by name."""
    return session.scalars(select(RegisteredMember).order_by(RegisteredMember.name)).all()


def known_members(session: Session) -> dict[str, KnownMember]:
    """What a submission is checked against, by name."""
    return {
        row.name: KnownMember(name=row.name, elements=frozenset(row.elements), energy_kind=row.energy_kind)
        for row in registered_members(session)
    }
