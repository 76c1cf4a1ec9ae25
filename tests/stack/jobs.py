"""Jobs as the front end would store them, for tests that go past it."""

from typing import Any

from ase.build import fcc111
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.adsorbates import lookup
from shared.database.tables import Job, StageRow, User
from shared.parameters import JobParameters
from shared.states import Work
from shared.structures import Structure
from shared.submissions import SlabSubmission


def submission(metal: str = "Pt", adsorbate: str = "*CO", size: tuple[int, int, int] = (2, 2, 3)) -> SlabSubmission:
    """An adsorbate on a close-packed face."""
    slab = fcc111(metal, size, vacuum=8.0, periodic=True)
    slab.set_tags(0)  # ASE's count layers
    return SlabSubmission(slab=Structure.from_oc_atoms(slab).to_document(), adsorbate=lookup(adsorbate))


def insert_job(
    session: Session, submission: Any, parameters: JobParameters, members: list[str], user: str = "somebody"
) -> Job:
    """A job as the front end would store it."""
    owner = session.scalars(select(User).where(User.name == user)).one_or_none() or User(name=user)
    session.add(owner)
    session.flush()
    job = Job(
        user_id=owner.id,
        name="test",
        adsorbate=submission.adsorbate.name,
        surface="slab",
        submission=submission.model_dump(mode="json"),
        parameters=parameters.model_dump(mode="json"),
        search_members=members,
        refine_members=list(parameters.ensemble.refine_members),
        score_members=list(parameters.ensemble.score_members) or members,
    )
    session.add(job)
    session.flush()
    session.add(StageRow(job_id=job.id, work=Work.PLACEMENT))
    return job
