"""Structures, stored once by content; positions live with what they belong to."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import Candidate, Placement, Reference, StructureRow
from shared.structures import Floats, Structure


def keep(session: Session, structure: Structure) -> int:
    """Row id of everything but the positions, inserted if new, and kept from those who remove what nobody uses until the transaction
    ends."""
    digest = structure.topology_digest
    added = (
        insert(StructureRow)
        .values(
            digest=digest,
            formula=structure.formula,
            numbers=structure.numbers.tolist(),
            cell=structure.cell,
            pbc=structure.pbc.tolist(),
            tags=structure.tags.tolist(),
            fixed=structure.fixed.tolist(),
        )
        .on_conflict_do_nothing(index_elements=[StructureRow.digest])
    )
    there = select(StructureRow.id).where(StructureRow.digest == digest).with_for_update(read=True, key_share=True)
    while True:
        session.execute(added)
        if (key := session.scalars(there).one_or_none()) is not None:  # else it was removed between the two
            return key


def remove_unused(session: Session, ids: Collection[int]) -> None:
    """Remove those of these structures that nothing rests on. One that somebody is just beginning to use is left."""
    free = select(StructureRow.id).where(StructureRow.id.in_(ids)).order_by(StructureRow.id)
    held = session.scalars(free.with_for_update(skip_locked=True)).all()
    used = [exists().where(table.structure_id == StructureRow.id) for table in (Placement, Candidate, Reference)]
    # a statement of its own: it sees what was committed before the rows were locked
    session.execute(delete(StructureRow).where(StructureRow.id.in_(held), ~or_(*used)))


def restore(row: StructureRow, positions: Floats) -> Structure:
    """The structure at these positions, Å [n_atoms, 3]."""
    return Structure.from_tags(
        numbers=row.numbers, positions=positions, cell=row.cell, pbc=row.pbc, tags=row.tags, fixed=row.fixed
    )
