"""Calibrations are their author's until an administrator publishes one, and one of a kind is in force at any moment."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from shared.database.repositories import calibrations, labels, selections
from shared.database.repositories.calibrations import NewCalibration, Standing, standing
from shared.database.repositories.users import Identity, Role
from shared.database.session import sessions
from shared.database.tables import Calibration, Job, ReferenceEnergy, User
from shared.errors import Conflict, InvalidInput, NotFound
from shared.parameters import Choosing, Spread
from tests.shared.database.jobs import OWN, SLAB_C, add_candidates, add_job

MEMBERS = ("a", "b", "c")
RULES = Choosing(members=MEMBERS, limit="calibrated")


def user(session, name: str, role: Role = Role.SUBMIT) -> Identity:
    row = User(name=name)
    session.add(row)
    session.flush()
    return Identity(row.id, name, role)


def proposed(session, author: Identity, limit: float | None = 0.2, members=MEMBERS) -> Calibration:
    new = NewCalibration(members, "RPBE", Spread.STD, limit, {}, scale=OWN)
    return calibrations.propose(session, new, author.user_id, most=50)[0]


def limit(session, who: Identity, **rules: object) -> selections.SpreadLimit:
    return selections.limit_of(session, RULES.model_copy(update=rules), who, OWN)


@pytest.fixture
def lab(session) -> tuple[Identity, Identity, Identity]:
    """An administrator, an author, and somebody else."""
    return user(session, "chief", Role.ADMIN), user(session, "author"), user(session, "other")


def test_a_proposal_is_nobodys_default_and_its_authors_by_number(session, lab):
    chief, author, other = lab
    mine = proposed(session, author)
    for who in lab:
        with pytest.raises(InvalidInput, match=r"no calibration in force for a, b, c .* administrators publish one"):
            limit(session, who)
    for who in (author, chief):
        assert limit(session, who, calibration=mine.id) == selections.SpreadLimit(0.2, mine.id)
    with pytest.raises(InvalidInput, match=f"no calibration {mine.id} that you may use"):
        limit(session, other, calibration=mine.id)
    with pytest.raises(NotFound):
        calibrations.get(session, mine.id, other)
    assert calibrations.every(session, other) == []


def test_what_is_published_holds_until_it_is_withdrawn_or_followed(session, lab):
    chief, author, other = lab
    first, second = proposed(session, author, 0.2, ("c", "b", "a")), proposed(session, author, 0.9)
    proposed(session, author, 0.01, ("a", "b"))
    calibrations.publish(session, first.id, chief.user_id)
    assert limit(session, other) == selections.SpreadLimit(0.2, first.id)  # the newer proposal is nobody's
    assert calibrations.publish(session, first.id, author.user_id).publisher_id == chief.user_id  # published already
    calibrations.publish(session, second.id, chief.user_id)
    assert limit(session, other) == selections.SpreadLimit(0.9, second.id)
    assert (standing(first), first.successor_id, first.withdrawer_id) == (Standing.WITHDRAWN, second.id, chief.user_id)
    with pytest.raises(InvalidInput, match="was withdrawn on"):
        limit(session, other, calibration=first.id)
    calibrations.withdraw(session, second.id, chief.user_id)
    calibrations.withdraw(session, second.id, chief.user_id)
    with pytest.raises(InvalidInput, match="no calibration in force"):
        limit(session, other)
    calibrations.publish(session, first.id, chief.user_id)
    assert limit(session, other).calibration_id == first.id
    assert (first.withdrawn_at, first.successor_id) == (None, None)
    assert [row.id for row in calibrations.every(session, chief, state=Standing.WITHDRAWN)] == [second.id]


def test_what_can_not_be_chosen_by_is_refused_with_the_reason(session, lab):
    chief, author, _ = lab
    none, two = proposed(session, author, None), proposed(session, author, 0.3, ("a", "b"))
    with pytest.raises(Conflict, match="has no limit"):
        calibrations.publish(session, none.id, chief.user_id)
    with pytest.raises(InvalidInput, match="no limit reached the target"):
        limit(session, author, calibration=none.id)
    with pytest.raises(
        InvalidInput, match=r"is for a, b \(std, against RPBE, by each member's own molecules\), not for a, b, c"
    ):
        limit(session, author, calibration=two.id)
    with pytest.raises(Conflict, match="never published"):
        calibrations.withdraw(session, two.id, chief.user_id)
    with pytest.raises(NotFound):
        calibrations.publish(session, 10**6, chief.user_id)


def test_proposals_are_limited_and_deleted_while_nothing_rests_on_them(session, lab):
    chief, author, other = lab
    first, second = proposed(session, author), proposed(session, author)
    new = NewCalibration(MEMBERS, "RPBE", Spread.STD, 0.1, {}, scale=OWN)
    with pytest.raises(Conflict, match="2 calibrations that you proposed are kept, and 2 are allowed"):
        calibrations.propose(session, new, author.user_id, most=2)
    with pytest.raises(NotFound):
        calibrations.delete(session, first.id, other)
    add_job(session).calibration_id = first.id
    session.flush()
    with pytest.raises(Conflict, match="is used by jobs or selections"):
        calibrations.delete(session, first.id, chief)
    calibrations.delete(session, second.id, author)
    third, _ = calibrations.propose(session, new, author.user_id, most=2)
    calibrations.publish(session, third.id, chief.user_id)
    with pytest.raises(Conflict, match="was published and stays"):
        calibrations.delete(session, third.id, author)


def test_the_tables_themselves_let_one_of_a_kind_be_in_force(session, lab):
    rows = [proposed(session, lab[1]).id for _ in range(2)]
    with pytest.raises(IntegrityError, match="uq_calibrations_in_force"):
        session.execute(update(Calibration).where(Calibration.id.in_(rows)).values(published_at=func.now()))


def test_of_many_who_publish_at_once_one_is_in_force_at_the_end_and_none_fails(engine):
    opened = sessions(engine)
    with opened.begin() as session:
        chief, author = user(session, "chief", Role.ADMIN), user(session, "author")
        numbers = [proposed(session, author, 0.1 + 0.1 * n).id for n in range(4)]

    def publish(number: int) -> None:
        with opened.begin() as session:
            calibrations.publish(session, number, chief.user_id)

    with ThreadPoolExecutor(8) as beside:
        list(beside.map(publish, numbers * 10))
    with opened() as session:
        standings = [standing(session.get_one(Calibration, number)) for number in numbers]
    assert sorted(standings) == [Standing.PUBLISHED, *[Standing.WITHDRAWN] * 3]


def test_a_job_keeps_the_calibration_that_it_was_submitted_under(session, lab):
    chief, author, _ = lab
    first, second = proposed(session, author, 0.2), proposed(session, author, 0.9)
    calibrations.publish(session, first.id, chief.user_id)
    job = add_job(session)
    job.calibration_id = first.id
    session.flush()
    calibrations.publish(session, second.id, chief.user_id)
    assert selections.pinned_limit(session, job, RULES) == selections.SpreadLimit(0.2, first.id)
    calibrations.withdraw(session, second.id, chief.user_id)
    assert selections.pinned_limit(session, job, RULES) == selections.SpreadLimit(0.2, first.id)
    assert selections.pinned_limit(session, job, Choosing(members=MEMBERS, limit=0.4)).value == 0.4


def test_what_was_learned_from_is_counted_also_when_it_is_deleted(session, lab):
    author = lab[1]
    job = add_job(session, user="author")
    job.score_members = list(MEMBERS)
    made = add_candidates(session, job, [dict.fromkeys(MEMBERS, -1.0)] * 3)
    for candidate in made:
        row = ReferenceEnergy(
            candidate_id=candidate.id, adsorption_energy=-1.1, reference=SLAB_C, functional="RPBE", code="VASP 6",
            provenance="", user_id=author.user_id,
        )  # fmt: skip
        labels.feed_back(session, row, author.user_id, labels.Most(20, 3))
    with pytest.raises(Conflict, match="3 reference energies of yours are kept, and 3 are allowed"):
        labels.feed_back(session, row, author.user_id, labels.Most(20, 3))
    with pytest.raises(Conflict, match="has 1 reference energies, and 1 are allowed"):
        labels.feed_back(session, row, author.user_id, labels.Most(1, 30))
    found = labels.labelled(session, MEMBERS, "RPBE", OWN)
    assert found.sources([0, 1, 2]) == {"codes": {"VASP 6": 3}, "users": {"author": 3}}
    new = NewCalibration(
        MEMBERS,
        "RPBE",
        Spread.STD,
        0.2,
        {"count": 3, "target": {"share": 0.9}},
        found.ids,
        found.sources([0, 1, 2]),
        scale=OWN,
    )
    learned, made_now = calibrations.propose(session, new, author.user_id, most=5)
    assert (made_now, calibrations.propose(session, new, author.user_id, most=5)) == (True, (learned, False))
    assert calibrations.labels_left(session, [learned]) == {learned.id: 3}
    labels.delete(session, job, made[0].id, found.ids[0], author)
    assert calibrations.labels_left(session, [learned]) == {learned.id: 2}
    assert (learned.label_ids, learned.report["count"]) == (found.ids, 3)
    with pytest.raises(NotFound):
        labels.delete(session, job, made[0].id, found.ids[1], author)  # another candidate's
    job.deleted_at = session.scalar(select(func.now()))
    session.flush()
    assert labels.labelled(session, MEMBERS, "RPBE", OWN).ids == []  # nobody sees a deleted job any more
    assert session.scalar(select(func.count()).select_from(Job)) == 1
