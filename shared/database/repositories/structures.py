"""Structures, stored once by content; positions live with what they belong to."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import StructureRow
from shared.structures import Floats, Structure


def keep(session: Session, structure: Structure) -> int:
    """Row id of everything but the positions, inserted if new."""
    digest = structure.topology_digest
    session.execute(
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
    return session.scalars(select(StructureRow.id).where(StructureRow.digest == digest)).one()


def restore(row: StructureRow, positions: Floats) -> Structure:
    """The structure at these positions, Å [n_atoms, 3]."""
    return Structure.from_tags(
        numbers=row.numbers, positions=positions, cell=row.cell, pbc=row.pbc, tags=row.tags, fixed=row.fixed
    )
