"""An evaluation through a real database: who relaxes what, and what is stored of it."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.forces.engine import Engine
from services.forces.potential import Potential
from shared.database.repositories.structures import keep
from shared.database.tables import Candidate, Job, JobReference, MemberEnergy, Placement, Reference, Walker
from shared.database.workflow import lanes
from shared.parameters import Ensemble, JobParameters
from shared.references import EnergyKind
from shared.scales import OC20, OWN_GAS, Scale
from shared.states import State
from shared.submissions import Relax, StructuresSubmission
from tests.services.search.test_own_geometry import carbon_monoxide
from tests.shared.database.jobs import add_job
from tests.shared.test_scales import GIVEN, fitted
from worker.potentials import registry
from worker.queue import claims, eligible
from worker.tasks.evaluation import Answer, EvaluationItem
from worker.tasks.reading import Reading

EMT_MEMBER: Potential = registry.load("emt")
GAS = {"CO": -1.0, "H2": -2.0, "H2O": -4.0}
SLAB_ENERGY = 3.0


FOUND = carbon_monoxide()
TOLD = {"energy": -1.0, "fmax": 0.01}
"""What its finder said of it: not what EMT would say now."""


def add_references(session: Session, job: Job, member: str) -> None:
    """All that an adsorption energy of CO takes, done."""
    slab = FOUND.only(FOUND.slab)
    for kind, label, energy in (("slab", "Cu8", SLAB_ENERGY), *(("gas", name, GAS[name]) for name in GAS)):
        row = Reference(
            member=member,
            digest=f"{job.id}-{member}-{label}",
            kind=kind,
            label=label,
            fmax=0.05,
            max_steps=10,
            structure_id=keep(session, slab),
            start_positions=slab.positions,
            positions=slab.positions,
            state=State.SUCCEEDED,
            energy=energy,
        )
        session.add(row)
        session.flush()
        session.add(JobReference(job_id=job.id, reference_id=row.id))


def scored_by(
    session: Session,
    member: str,
    steps: int,
    *,
    refined_by: str | None = None,
    scale: Scale | None = None,
    gas: float = GAS["CO"],
    relax: Relax | None = None,
) -> MemberEnergy:
    """One candidate that `emt` found, or `refined_by` relaxed again, evaluated by this member as a worker does it. All members are
    EMT by another name. relax: of a job that was given its structures, what is done with them."""
    ensemble = Ensemble(score_steps=steps)
    job = add_job(session, walkers=0)
    job.score_members = [member]
    job.scales = {} if scale is None else {member: scale.document()}
    job.parameters = JobParameters(ensemble=ensemble).model_dump(mode="json")
    if relax is not None:
        given = StructuresSubmission(structure=FOUND.to_document(), count=1, content="", relax=relax)
        job.submission = given.model_dump(mode="json")
    placed = {"structure_id": keep(session, FOUND), "positions": FOUND.positions}
    placement = Placement(job_id=job.id, index=0, site="fcc", method="test", **placed)
    session.add(placement)
    session.flush()
    walker = Walker(job_id=job.id, placement_id=placement.id, member=refined_by or "emt", state=State.SUCCEEDED)
    session.add(walker)
    session.flush()
    candidate = Candidate(
        job_id=job.id, walker_id=walker.id, hop=0, member=walker.member, **TOLD, converged=True,
        anomalies=[], site="fcc via C", accepted=True, force_calls=1, **placed,
    )  # fmt: skip
    session.add(candidate)
    session.flush()
    session.add(MemberEnergy(job_id=job.id, candidate_id=candidate.id, member=member))
    add_references(session, job, member)
    session.flush()
    lanes.refresh(session, [job.id])
    session.commit()
    (row,) = claims.claim(session, MemberEnergy, eligible.evaluations(member), owner="here:1", lease_s=60, limit=1)
    item = EvaluationItem.load(Reading(session), row, EnergyKind.TOTAL)
    engine = Engine(EMT_MEMBER)
    engine.add(item.lease, item.walk())
    ended: list = []
    while not ended:
        ended = engine.step()
    assert isinstance(ended[0].result, Answer)
    claims.finish_all(session, [(item.lease, item.ending(ended[0].result))])
    session.commit()
    session.expire_all()
    stored = session.scalars(select(MemberEnergy).where(MemberEnergy.candidate_id == candidate.id)).one()
    assert stored.state == State.SUCCEEDED
    assert engine.force_calls == (0 if item.told else 1 + stored.relaxation_steps)
    assert stored.adsorption_energy == pytest.approx(stored.energy - SLAB_ENERGY - gas)
    return stored


def test_a_member_that_only_scores_relaxes_first_and_says_how_far(session: Session):
    single, few, many = (scored_by(session, "other", steps) for steps in (0, 3, 50))
    assert (single.relaxation_steps, single.displacement, single.left_minimum) == (0, None, None)
    assert single.energy == EMT_MEMBER.evaluate([FOUND])[0].energy
    assert few.relaxation_steps == 3
    assert 3 < many.relaxation_steps < 50
    assert 0 < few.displacement < many.displacement
    assert single.energy > few.energy > many.energy
    assert single.fmax > 0.05 > many.fmax


def test_the_member_that_found_or_refined_it_has_it_as_a_minimum_of_its_own(session: Session):
    for by, refined_by in (("emt", None), ("other", "other")):
        own = scored_by(session, by, 50, refined_by=refined_by)
        assert (own.relaxation_steps, own.displacement) == (0, None)
        assert {"energy": own.energy, "fmax": own.fmax} == TOLD
    # the one that found what another one refined is as any other
    assert scored_by(session, "emt", 50, refined_by="other").relaxation_steps > 0


@pytest.mark.parametrize(
    ("relax", "by", "asked", "relaxed"),
    [
        (Relax.NONE, "emt", False, False),
        (Relax.NONE, "other", True, False),
        (Relax.SCORE, "emt", True, True),  # the first one looked at it as it was given
        (Relax.SCORE, "other", True, True),
        (Relax.SEARCH, "emt", False, False),
        (Relax.SEARCH, "other", True, True),
    ],
)
def test_who_has_looked_at_a_given_structure_is_asked_again_only_to_relax_it(
    session: Session, relax: Relax, by: str, asked: bool, relaxed: bool
):
    stored = scored_by(session, by, 20, relax=relax)
    assert (stored.energy != TOLD["energy"]) == asked
    assert (stored.relaxation_steps > 0) == relaxed


@pytest.mark.parametrize(
    ("scale", "gas", "words"),
    [
        (OC20, -7.282 - 7.204, "on the scale of OC20 (RPBE)"),
        (fitted(), -15.0, "by constants fitted to Set (BEEF-vdW)"),
        (GIVEN, -15.0, "by energies given as our RPBE"),
        (OWN_GAS, GAS["CO"], "by each member's own molecules"),
        (None, GAS["CO"], "by each member's own molecules"),
    ],
)
def test_the_energy_is_on_the_scale_that_the_job_was_submitted_with(session: Session, scale, gas: float, words: str):
    stored = scored_by(session, "other", 0, scale=scale, gas=gas)
    assert (stored.reference, stored.scale) == ("relaxed clean slab + CO(g)", words)


def test_the_same_evaluation_gives_the_same_bits(session: Session):
    first, second = (scored_by(session, "other", 20) for _ in range(2))
    assert (first.energy, first.displacement, first.fmax) == (second.energy, second.displacement, second.fmax)
