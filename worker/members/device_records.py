"""What checkpoints have shown on devices: kept, so that a process that starts knows what the last one learned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import MemberDevice
from shared.structures import Floats

BATCH_LASTS = timedelta(days=7)
"""A batch size is learned anew after this long: what else ran on the device then may be gone."""


@dataclass(frozen=True)
class DeviceRecord:
    """What a checkpoint has shown on one device."""

    device: str
    load_s: float
    memory_bytes: int
    energy: float
    """Of its answer to the canary, eV."""
    forces: Floats
    """Of its answer to the canary, eV/Å [n_atoms, 3]."""
    batch_atoms: int | None = None
    """Most atoms of one forward; None where every batch fitted."""


def records_of(session: Session, member: str, sha256: str) -> list[DeviceRecord]:
    """What this checkpoint has shown, on any device."""
    lasting = MemberDevice.batch_learned_at > func.now() - BATCH_LASTS
    rows = session.execute(
        select(MemberDevice, lasting)
        .where(MemberDevice.member == member, MemberDevice.member_sha256 == sha256)
        .order_by(MemberDevice.loaded_at)
    )
    return [
        DeviceRecord(
            device=row.device,
            load_s=row.load_s,
            memory_bytes=row.memory_bytes,
            energy=row.canary_energy,
            forces=row.canary_forces,
            batch_atoms=row.batch_atoms if fresh else None,
        )
        for row, fresh in rows
    ]


def keep(session: Session, member: str, sha256: str, now: DeviceRecord) -> None:
    """A member was loaded. The answer to the canary is kept from the first time on, and never overwritten."""
    cost = {"load_s": now.load_s, "memory_bytes": now.memory_bytes}
    statement = insert(MemberDevice).values(
        member=member,
        member_sha256=sha256,
        device=now.device,
        canary_energy=now.energy,
        canary_forces=now.forces,
        **cost,
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[MemberDevice.member, MemberDevice.member_sha256, MemberDevice.device],
            set_={**cost, "loaded_at": func.now()},
        )
    )


def learn_batch(session: Session, member: str, sha256: str, device: str, batch_atoms: int) -> None:
    """A batch didn't fit this device; this many atoms did, or are tried next."""
    session.execute(
        update(MemberDevice)
        .where(MemberDevice.member == member, MemberDevice.member_sha256 == sha256, MemberDevice.device == device)
        .values(batch_atoms=batch_atoms, batch_learned_at=func.now())
    )
