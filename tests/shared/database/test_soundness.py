"""What sound means is said twice, in Python and in SQL, and is the same."""

from itertools import combinations, product

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.scoring.selection import choose
from shared.database.repositories import selections
from shared.database.tables import Candidate
from shared.parameters import Choosing
from shared.soundness import Anomaly, is_sound
from tests.shared.database.jobs import add_candidates, add_job

ANOMALIES = [[*names] for n in range(len(Anomaly) + 1) for names in combinations(Anomaly, n)]
MEMBERS = ("a", "b")


@pytest.mark.parametrize("include_anomalous", [False, True])
def test_sql_the_rows_the_function_and_the_choice_agree(session: Session, include_anomalous: bool) -> None:
    job = add_job(session)
    for converged, anomalies in product([False, True], ANOMALIES):
        row = add_candidates(session, job, [dict.fromkeys(MEMBERS, -1.0)], anomalies=anomalies)[0]
        row.converged = converged
    session.flush()
    session.expire_all()
    in_sql = select(Candidate.id, Candidate.sound(include_anomalous=include_anomalous))
    sound = {key: whether for key, whether in session.execute(in_sql)}
    rows = session.scalars(select(Candidate).order_by(Candidate.id)).all()
    assert len(rows) == 2 * 2 ** len(Anomaly)
    assert {row.id: row.sound(include_anomalous=include_anomalous) for row in rows} == sound
    assert {
        row.id: is_sound(row.converged, row.anomalies, include_anomalous=include_anomalous) for row in rows
    } == sound
    pool = selections.pool(session, job.id, MEMBERS)
    chosen = choose(pool, Choosing(members=MEMBERS, include_anomalous=include_anomalous), limit=0.3)
    assert dict(zip(pool.keys.tolist(), chosen.passes.tolist(), strict=True)) == sound  # all else lets them pass
    assert sum(sound.values()) == (2 ** len(Anomaly) if include_anomalous else 1)
    asked = select(Candidate.id).where(Candidate.sound(include_anomalous=include_anomalous))
    assert set(session.scalars(asked)) == {key for key, whether in sound.items() if whether}
    assert np.all(chosen.n == len(MEMBERS))
