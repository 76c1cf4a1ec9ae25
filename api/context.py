"""What one API process holds: made when it starts, ended when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine

from api.jobs.settled import Settled
from api.learning.pool import Learners
from api.metrics.kept import KeptMetrics
from api.notifications import BackgroundNotifier
from api.parsing.pool import Parsers
from api.placing.pool import Placers
from shared.broker import Notifier, celery_app
from shared.database.session import Sessions, connect, sessions
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """Settings and the long-lived things that routes use."""

    settings: Settings
    engine: Engine
    sessions: Sessions
    readings: Sessions
    """Without a transaction around their statements, for what is read by one: no round trips to begin and end it."""
    parsers: Parsers
    placers: Placers
    learners: Learners
    notifier: BackgroundNotifier
    settled: Settled = field(default_factory=Settled)
    metrics: KeptMetrics = field(default_factory=KeptMetrics)


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """A context; PostgreSQL and the broker need not be up yet."""
    engine = connect(settings.database_url.get_secret_value(), pool_size=10)
    parsers = Parsers()
    placers = Placers(max_atoms=settings.max_atoms, size=2)
    learners = Learners()
    notifier = BackgroundNotifier(Notifier(celery_app(settings)))
    notifier.start()
    try:
        readings = sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))
        yield Context(settings, engine, sessions(engine), readings, parsers, placers, learners, notifier)
    finally:
        notifier.close()
        learners.close()
        placers.close()
        parsers.close()
        engine.dispose()
