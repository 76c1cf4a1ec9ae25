"""What one API process holds: made when it starts, ended when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Engine

from api.learning.pool import Learners
from api.notifications import BackgroundNotifier
from api.parsing.pool import Parsers
from api.placing.pool import Placers
from api.smiles.pool import SmilesReaders
from shared.broker import Notifier, celery_app
from shared.database.session import Sessions, connect, sessions
from shared.settings import Settings

Kept = TypeVar("Kept")


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
    smiles: SmilesReaders
    notifier: BackgroundNotifier
    _own: dict[type, Any] = field(default_factory=dict)
    """By class."""

    def own(self, kind: type[Kept]) -> Kept:
        """The one object of this class that is kept between requests; made the first time."""
        if kind not in self._own:
            self._own.setdefault(kind, kind())
        found: Kept = self._own[kind]
        return found


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """A context; PostgreSQL and the broker need not be up yet."""
    engine = connect(settings.database_url.get_secret_value(), pool_size=10)
    parsers = Parsers()
    placers = Placers(max_atoms=settings.max_atoms, size=2)
    learners = Learners()
    smiles = SmilesReaders()
    notifier = BackgroundNotifier(Notifier(celery_app(settings)))
    notifier.start()
    try:
        readings = sessions(engine.execution_options(isolation_level="AUTOCOMMIT"))
        yield Context(settings, engine, sessions(engine), readings, parsers, placers, learners, smiles, notifier)
    finally:
        notifier.close()
        smiles.close()
        learners.close()
        placers.close()
        parsers.close()
        engine.dispose()
