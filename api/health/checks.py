"""What the service needs to do its work. Each check ends within seconds, whatever hangs."""

from __future__ import annotations

from collections.abc import Iterator

import redis
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from api.context import Context
from api.members.fleet import Fleet, fleet
from api.view import View
from shared.database import revision

BROKER_TIMEOUT_S = 1.0
_CANARY = "adhop:ready"


class Check(View):
    """One thing that is needed."""

    name: str
    ok: bool
    reason: str = Field(description="why it is missing, or what was found")


def checks(context: Context) -> Iterator[Check]:
    """PostgreSQL with the tables of this version, a broker that takes messages, and a worker for each default."""
    workers = Fleet(cpu=0, members={}, unready={}, absent=frozenset())
    try:
        postgres = _migrated(context)
        if postgres.ok:
            with context.sessions.begin() as session:
                workers = fleet(session)
    except SQLAlchemyError as error:
        postgres = Check(name="postgres", ok=False, reason=_first_line(error))
    yield postgres
    yield _broker(context)
    yield Check(name="cpu worker", ok=workers.cpu > 0, reason=f"{workers.cpu or 'no'} CPU worker ready")
    defaults = (*context.settings.default_search_members, *context.settings.default_score_members)
    for member in dict.fromkeys(defaults):
        hosts = workers.members.get(member, 0)
        yield Check(name=member, ok=hosts > 0, reason=f"{hosts} ready" if hosts else workers.absence(member))


def _migrated(context: Context) -> Check:
    with context.sessions.begin() as session:
        version = revision.found(session)
    if version != revision.expected():
        return Check(name="postgres", ok=False, reason=revision.mismatch(version))
    return Check(name="postgres", ok=True, reason=f"tables of version {version}")


def _broker(context: Context) -> Check:
    """Writes, for a broker without free memory still answers reads."""
    client = redis.Redis.from_url(
        context.settings.broker_url.get_secret_value(),
        socket_timeout=BROKER_TIMEOUT_S,
        socket_connect_timeout=BROKER_TIMEOUT_S,
        retry=None,
    )
    try:
        client.set(_CANARY, "1", ex=60)
    except (redis.RedisError, OSError) as error:
        return Check(name="broker", ok=False, reason=_first_line(error))
    finally:
        client.close()
    return Check(name="broker", ok=True, reason="takes messages")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
