"""Calibrations: proposed by whoever learns them, published and withdrawn by administrators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, cast, exists, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.database.repositories.users import Identity, lock_user
from shared.database.tables import Calibration, Job, ReferenceEnergy, Selection, User
from shared.errors import Conflict, InvalidInput, NotFound
from shared.parameters import Choosing, Spread


class Standing(StrEnum):
    """Of a calibration. A proposal is its author's own; the published one of its members, functional and spread is what jobs get."""

    PROPOSED = "proposed"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


def standing(row: Calibration) -> Standing:
    """What became of a calibration."""
    if row.published_at is None:
        return Standing.PROPOSED
    return Standing.PUBLISHED if row.withdrawn_at is None else Standing.WITHDRAWN


_STANDS: Mapping[Standing, ColumnElement[bool]] = {
    Standing.PROPOSED: Calibration.published_at.is_(None),
    Standing.PUBLISHED: and_(Calibration.published_at.is_not(None), Calibration.withdrawn_at.is_(None)),
    Standing.WITHDRAWN: Calibration.withdrawn_at.is_not(None),
}
"""The same in SQL."""


@dataclass(frozen=True)
class NewCalibration:
    """What was learned, to be kept."""

    members: Sequence[str]
    functional: str
    spread: Spread
    limit: float | None
    """eV."""
    report: dict[str, Any]
    label_ids: Sequence[int] = ()
    sources: Mapping[str, Any] | None = None
    scale: str = field(kw_only=True)
    """Of the members' energies, in words."""


def find_proposal(session: Session, user_id: int, new: NewCalibration) -> Calibration | None:
    """The author's proposal that was learned from the same energies for the same target, if there is one: whoever asks again, for
    instance because no answer came, gets that."""
    return session.scalars(
        select(Calibration)
        .where(
            Calibration.user_id == user_id,
            Calibration.members == sorted(new.members),
            Calibration.functional == new.functional,
            Calibration.spread == new.spread,
            Calibration.scale == new.scale,
            Calibration.label_ids == list(new.label_ids),
            Calibration.report["target"] == cast(new.report.get("target"), JSONB),
            _STANDS[Standing.PROPOSED],
        )
        .order_by(Calibration.id.desc())
        .limit(1)
    ).one_or_none()


def propose(session: Session, new: NewCalibration, user_id: int, *, most: int) -> tuple[Calibration, bool]:
    """Keep a calibration as its author's proposal; returns it, and whether it is a new one. Raises Conflict where the author has
    `most` of them already."""
    lock_user(session, user_id)
    same = find_proposal(session, user_id, new)
    if same is not None:
        return same, False
    check_room(session, user_id, most)
    row = Calibration(
        members=sorted(new.members),
        functional=new.functional,
        spread=new.spread,
        scale=new.scale,
        limit=new.limit,
        report=new.report,
        label_ids=list(new.label_ids),
        sources=dict(new.sources or {}),
        user_id=user_id,
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row, True


def check_room(session: Session, user_id: int, most: int) -> None:
    """Raise Conflict where a user has as many proposals as may be."""
    n = session.scalar(select(func.count()).where(Calibration.user_id == user_id, _STANDS[Standing.PROPOSED])) or 0
    if n >= most:
        raise Conflict(f"{n} calibrations that you proposed are kept, and {most} are allowed: delete some first")


def publish(session: Session, number: int, user_id: int) -> Calibration:
    """Put a calibration in force; the one that is in force for the same members, functional, spread and scale is withdrawn. One that
    is in force already stays as it is. Raises NotFound, and Conflict for one without a limit."""
    row = _lock_kind(session, number)
    if standing(row) is Standing.PUBLISHED:
        return row
    if row.limit is None:
        raise Conflict(f"calibration {number} has no limit: none kept its promise, and there is nothing to publish")
    before = in_force(session, row.members, row.functional, row.spread, row.scale)
    if before is not None:
        _withdraw(before, user_id, successor=row)
        session.flush()  # at no moment are two in force
    row.published_at, row.publisher_id = func.now(), user_id
    row.withdrawn_at = row.withdrawer_id = row.successor_id = None
    session.flush()
    session.refresh(row)
    return row


def withdraw(session: Session, number: int, user_id: int) -> Calibration:
    """Take a published calibration out of force; what was chosen by it stays, and jobs that were submitted under it choose by it
    still. One that is withdrawn already stays as it is. Raises NotFound, and Conflict for a proposal."""
    row = _lock_kind(session, number)
    if standing(row) is Standing.PROPOSED:
        raise Conflict(f"calibration {number} was never published: there is nothing to withdraw; it can be deleted")
    if standing(row) is Standing.PUBLISHED:
        _withdraw(row, user_id, successor=None)
        session.flush()
        session.refresh(row)
    return row


def _withdraw(row: Calibration, user_id: int, *, successor: Calibration | None) -> None:
    row.withdrawn_at, row.withdrawer_id = func.now(), user_id
    row.successor_id = None if successor is None else successor.id


def _lock_kind(session: Session, number: int) -> Calibration:
    """This calibration, with all of the same members, functional, spread and scale locked in one order: of two administrators who
    publish at once, one comes after the other. Whoever just chooses by one is not waited for. Raises NotFound."""
    row = session.get(Calibration, number)
    if row is None:
        raise NotFound(f"there is no calibration {number}")
    kind = (
        Calibration.members == row.members,
        Calibration.functional == row.functional,
        Calibration.spread == row.spread,
        Calibration.scale == row.scale,
    )
    rows = session.scalars(
        select(Calibration).where(*kind).order_by(Calibration.id).with_for_update(key_share=True),
        execution_options={"populate_existing": True},
    ).all()
    if row not in rows:
        raise NotFound(f"there is no calibration {number}: it was just deleted")
    return row


def delete(session: Session, number: int, identity: Identity) -> Calibration:
    """Delete a proposal. Raises NotFound, also for another's proposal, and Conflict for one that was published or used."""
    row = get(session, number, identity, locked=True)
    if standing(row) is not Standing.PROPOSED:
        raise Conflict(f"calibration {number} was published and stays, for what was chosen by it")
    used = or_(exists().where(Selection.calibration_id == number), exists().where(Job.calibration_id == number))
    if session.scalar(select(used)):
        raise Conflict(f"calibration {number} is used by jobs or selections, and stays with them")
    session.delete(row)
    session.flush()
    return row


def in_force(session: Session, members: Sequence[str], functional: str, spread: str, scale: str) -> Calibration | None:
    """The published calibration that jobs with these members get, if there is one."""
    return session.scalars(
        select(Calibration).where(
            Calibration.members == sorted(members),
            Calibration.functional == functional,
            Calibration.spread == spread,
            Calibration.scale == scale,
            _STANDS[Standing.PUBLISHED],
        )
    ).one_or_none()


def for_rules(session: Session, rules: Choosing, identity: Identity, scale: str) -> Calibration:
    """The calibration that rules with a calibrated limit ask for: the one they name, or the one in force. scale: of the members'
    energies, in words. Raises InvalidInput where there is none that this user may choose by."""
    what = _kind(rules.members, rules.spread, rules.functional, scale)
    if rules.calibration is None:
        found = in_force(session, rules.members, rules.functional, rules.spread, scale)
        if found is None:
            raise InvalidInput(
                f"there is no calibration in force for {what}: give a limit in eV, or name a calibration of your own "
                f"by its number; administrators publish one for all",
                field="limit",
            )
        return found
    found = session.get(Calibration, rules.calibration, with_for_update=_KEPT)
    if found is None or not _may_read(found, identity):
        raise InvalidInput(f"there is no calibration {rules.calibration} that you may use", field="calibration")
    theirs = _kind(found.members, found.spread, found.functional, found.scale)
    if theirs != what:
        raise InvalidInput(f"calibration {found.id} is for {theirs}, not for {what}", field="calibration")
    if standing(found) is Standing.WITHDRAWN:
        raise InvalidInput(
            f"calibration {found.id} was withdrawn on {found.withdrawn_at:%d %B %Y}: give a limit in eV, or another one",
            field="calibration",
        )
    if found.limit is None:
        raise InvalidInput(
            f"no limit reached the target in calibration {found.id}: give a limit in eV", field="calibration"
        )
    return found


def _kind(members: Sequence[str], spread: str, functional: str, scale: str) -> str:
    """What calibrations are told apart by, in words."""
    return f"{', '.join(sorted(members))} ({spread}, against {functional}, {scale or 'unlike scales'})"


_KEPT = {"read": True, "key_share": True}
"""A lock under which nobody deletes a row, and that hinders nobody else."""


def keep(session: Session, number: int | None) -> None:
    """Until the transaction ends nobody deletes this calibration; none is as well. Raises Conflict where somebody just did."""
    if number is not None and session.get(Calibration, number, with_for_update=_KEPT) is None:
        raise Conflict(f"calibration {number} was just deleted: give a limit in eV, or name another one")


def every(
    session: Session, identity: Identity, *, state: Standing | None = None, limit: int = 200
) -> list[Calibration]:
    """The newest calibrations first; proposals are seen by their author and by administrators."""
    query = select(Calibration).order_by(Calibration.id.desc()).limit(limit)
    if not identity.sees_all:
        query = query.where(or_(Calibration.published_at.is_not(None), Calibration.user_id == identity.user_id))
    return list(session.scalars(query if state is None else query.where(_STANDS[state])))


def get(session: Session, number: int, identity: Identity, *, locked: bool = False) -> Calibration:
    """One calibration; where it is locked, nobody else changes or comes to use it meanwhile. Raises NotFound, also for another's
    proposal."""
    found = session.get(Calibration, number, with_for_update=locked or None)
    if found is None or not _may_read(found, identity):
        raise NotFound(f"there is no calibration {number}")
    return found


def _may_read(row: Calibration, identity: Identity) -> bool:
    return row.published_at is not None or identity.sees_all or row.user_id == identity.user_id


def labels_left(session: Session, rows: Sequence[Calibration]) -> dict[int, int]:
    """How many of the reference energies that each was learned from are still there, by its number."""
    left = (
        select(func.count())
        .where(ReferenceEnergy.id == func.any(Calibration.label_ids))
        .correlate(Calibration)
        .scalar_subquery()
    )
    numbers = [row.id for row in rows]
    return {number: n for number, n in session.execute(select(Calibration.id, left).where(Calibration.id.in_(numbers)))}


def people(session: Session, rows: Sequence[Calibration]) -> dict[int | None, str]:
    """Names of who learned, published and withdrew these, by user id."""
    ids = {key for row in rows for key in (row.user_id, row.publisher_id, row.withdrawer_id) if key is not None}
    return {key: name for key, name in session.execute(select(User.id, User.name).where(User.id.in_(ids)))}
