"""What one API process holds: made when it starts, ended when it stops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

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
    parsers: Parsers
    placers: Placers
    notifier: BackgroundNotifier


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """A context; PostgreSQL and the broker need not be up yet."""
    engine = connect(settings.database_url.get_secret_value(), pool_size=10)
    parsers = Parsers()
    placers = Placers(max_atoms=settings.max_atoms, size=2)
    notifier = BackgroundNotifier(Notifier(celery_app(settings)))
    notifier.start()
    try:
        yield Context(settings, engine, sessions(engine), parsers, placers, notifier)
    finally:
        notifier.close()
        placers.close()
        parsers.close()
        engine.dispose()
