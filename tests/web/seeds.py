"""Jobs as a search would leave them, so that pages have something to show: CO on Pt(111), three members, every kind of verdict."""

import numpy as np
from ase.build import add_adsorbate, fcc111, molecule
from sqlalchemy import update
from sqlalchemy.orm import Session

from services.scoring.selection import choose
from shared.adsorbates import lookup
from shared.database.repositories import selections
from shared.database.repositories.structures import keep
from shared.database.tables import (
    Candidate,
    Job,
    JobReference,
    MemberEnergy,
    Placement,
    Reference,
    ReferenceEnergy,
    Walker,
)
from shared.parameters import Choosing
from shared.states import Stage, State
from shared.structures import Structure
from shared.submissions import SlabSubmission
from tests.shared.database.jobs import OWN, add_candidates, add_job
from tests.shared.test_scales import fitted

MEMBERS = ("chgnet-0.3.0", "sevennet-0", "chgnet-r2scan")
SITES = {
    "ontop": "top Pt via C",
    "bridge": "bridge Pt-Pt via C",
    "fcc": "fcc hollow Pt3 via C",
    "hcp": "hcp hollow Pt3 via C",
}
STATEMENT = "relaxed clean slab + CO(g)"
LIMIT = 0.3
CAUTION = "chgnet-0.3.0, sevennet-0: no dispersion: physisorbed molecules come out bound too weakly"


def structure(site: str = "fcc", lift: float = 0.0) -> Structure:
    """Pt(111) p(2x2) with CO standing on a site; the lowest layer is fixed."""
    slab = fcc111("Pt", (2, 2, 3), a=3.97, vacuum=8.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, molecule("CO"), 1.4 + lift, site, mol_index=1)
    return Structure.from_tags(
        numbers=slab.numbers,
        positions=slab.positions,
        cell=np.asarray(slab.cell),
        pbc=[True, True, True],
        tags=[*(1 if layer == 1 else 0 for layer in layers), 2, 2],
        fixed=[*(layer == 3 for layer in layers), False, False],
    )


def searching(session: Session, user: str, name: str = "CO on Pt(111)", candidates: int = 6, **values: object) -> Job:
    """A job in its search."""
    job = add_job(session, user=user, walkers=4, state=State.RUNNING, **values)
    job.name, job.adsorbate, job.surface = name, "*CO", "Pt(111)"
    clean = structure().only(np.arange(12))
    job.submission = SlabSubmission(slab=clean.to_document(), adsorbate=lookup("*CO")).model_dump(mode="json")
    job.search_members, job.score_members = list(MEMBERS[:2]), list(MEMBERS)
    job.estimated_force_calls, job.started_at = 2400, job.created_at
    for index, site in enumerate(SITES):
        there = structure(site, 0.4)
        placed = {"structure_id": keep(session, there), "positions": there.positions, "site": SITES[site]}
        own = Placement.job_id == job.id, Placement.index == index
        session.execute(update(Placement).where(*own).values(placed))
    _candidates(session, job, candidates)
    return job


def finished(session: Session, user: str, name: str = "CO on Pt(111)", candidates: int = 24) -> Job:
    """A job that has chosen."""
    job = searching(session, user, name, candidates)
    job.stage = Stage.DONE
    rules = job.read_parameters().choosing(MEMBERS)
    pool = selections.pool(session, job.id, MEMBERS)
    limit = selections.SpreadLimit(LIMIT, None)
    selections.store(session, job.id, rules, limit, pool, choose(pool, rules, LIMIT), number=0)
    clean = structure().only(np.arange(12))
    slab = Reference(
        member=MEMBERS[0],
        digest=f"slab of {job.id}",
        kind="slab",
        label="Pt12",
        fmax=0.05,
        max_steps=200,
        structure_id=keep(session, clean),
        start_positions=clean.positions,
        positions=clean.positions,
        state=State.SUCCEEDED,
        energy=-70.0,
    )
    session.add(slab)
    session.flush()
    session.add(JobReference(job_id=job.id, reference_id=slab.id))
    for walker in session.query(Walker).filter_by(job_id=job.id):
        walker.state, walker.force_calls, walker.ended_because = State.SUCCEEDED, 140, "hops"
    job.state, job.ended_at = State.SUCCEEDED, job.created_at
    session.flush()
    return job


def mind(session: Session, job: Job) -> None:
    """Its members stand on constants fitted to labels, and something is known to be wrong with them."""
    scale = fitted()
    job.scales = {member: scale.document() for member in MEMBERS}
    job.cautions = [CAUTION]
    job.warnings = [*job.warnings, CAUTION]
    for one in session.query(MemberEnergy).filter_by(job_id=job.id):
        one.scale = scale.words((6, 8))
    session.flush()


def labelled(session: Session, user: str, jobs: int = 30, candidates: int = 3) -> list[int]:
    """Candidates that the server's default members scored, with labels by RPBE: the further members are apart, the further they are
    off. Their numbers."""
    rng = np.random.default_rng(5)
    found = []
    for number in range(jobs):
        job = add_job(session, user=user, state=State.RUNNING)
        job.name, job.score_members = f"labelled {number}", ["alpha", "beta"]
        width = 0.01 + 0.5 * number / jobs
        labels = rng.uniform(-3, 0, candidates)
        errors = rng.normal(0, 0.1 + width / 2 if width > 0.15 else 0.01, candidates)
        energies = [
            {"alpha": float(one - width / 2), "beta": float(one + width / 2)} for one in (labels + errors).tolist()
        ]
        made = add_candidates(session, job, energies, reference=STATEMENT)
        for one, label in zip(made, labels.tolist(), strict=True):
            session.add(
                ReferenceEnergy(
                    candidate_id=one.id, adsorption_energy=label, reference=STATEMENT, functional="RPBE", code="VASP 6.4.3",
                    provenance="",
                )
            )  # fmt: skip
        job.state, job.ended_at = State.SUCCEEDED, job.created_at
        found += [one.id for one in made]
    session.flush()
    return found


def unlabelled(session: Session, user: str, jobs: int = 4) -> list[int]:
    """Jobs that chose by the server's default members and have no labels; the later, the more these disagree. Of each job the
    minimum that they disagree on most."""
    rules = Choosing(members=("alpha", "beta"), count=2, window=2.0)
    found = []
    for number in range(jobs):
        job = add_job(session, user=user, state=State.RUNNING)
        job.name, job.score_members = f"CH{number or ''} on Cu(211)", ["alpha", "beta"]
        apart = 0.04 * (number + 1)
        lower, upper = {"alpha": -1.5, "beta": -1.5 + apart / 2}, {"alpha": -1.1, "beta": -1.1 + apart}
        _, most = add_candidates(session, job, [lower, upper], reference=STATEMENT)
        pool = selections.pool(session, job.id, rules.members)
        limit = selections.SpreadLimit(LIMIT, None)
        selections.store(session, job.id, rules, limit, pool, choose(pool, rules, LIMIT), number=0)
        job.state, job.ended_at = State.SUCCEEDED, job.created_at
        found.append(most.id)
    session.flush()
    return found


def _candidates(session: Session, job: Job, n: int) -> None:
    rng = np.random.default_rng(7)
    walkers = session.query(Walker).filter_by(job_id=job.id).order_by(Walker.id).all()
    for index, walker in enumerate(walkers):
        walker.member = MEMBERS[index % 2]
    sites = list(SITES)
    kept: dict[tuple[str, int], tuple[int, Structure]] = {}
    for number in range(n):
        site, step = sites[number % 4], number // 8 % 3
        if (site, step) not in kept:
            there = structure(site, 0.06 * step)
            kept[site, step] = keep(session, there), there
        row, there = kept[site, step]
        walker = walkers[number % len(walkers)]
        level = {"ontop": -1.30, "bridge": -1.42, "fcc": -1.58, "hcp": -1.52}[site] + 0.5 * np.exp(-number / 6)
        candidate = Candidate(
            job_id=job.id,
            walker_id=walker.id,
            hop=number // len(walkers),
            member=walker.member,
            structure_id=row,
            positions=there.positions + np.array([0, 0, 1e-3 * (number + 1)]) * there.adsorbate[:, None],
            energy=float(-70 + level + rng.normal(0, 0.03)),
            fmax=float(rng.uniform(0.01, 0.05)),
            converged=number % 11 != 10,
            anomalies=["dissociated"] if number % 9 == 8 else [],
            site=SITES[site],
            accepted=number % 3 != 2,
            temperature_k=None if number < 4 else 2000.0,
            force_calls=int(rng.integers(15, 60)),
        )
        session.add(candidate)
        walker.hop = candidate.hop + 1
        session.flush()
        width = 0.42 if number % 7 == 6 else 0.09
        for place, member in enumerate(MEMBERS):
            session.add(
                MemberEnergy(
                    job_id=job.id,
                    candidate_id=candidate.id,
                    member=member,
                    state=State.SUCCEEDED,
                    energy=-70.0,
                    adsorption_energy=float(level + (place - 1) * width + rng.normal(0, 0.03)),
                    reference=STATEMENT,
                    scale=OWN,
                )
            )
    session.flush()
