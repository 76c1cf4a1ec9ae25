"""Alembic's entry: migrations run online, against ADHOP_DATABASE_URL or the URL that the caller sets."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError

from shared.database import roles
from shared.database.session import connect
from shared.database.tables import Base
from shared.database.tables.columns import Vectors
from shared.errors import Misconfigured
from shared.settings import settings


def _url() -> str:
    configured: str | None = context.config.get_main_option("sqlalchemy.url")
    return configured or settings().database_url.get_secret_value()


def _render(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Migrations name the plain column type, so that they outlive our classes."""
    return "postgresql.ARRAY(sa.Double())" if kind == "type" and isinstance(item, Vectors) else False


def run() -> None:
    """Apply in one transaction; two at once wait for each other on an advisory lock. The version is locked before any table, as
    workers do when they claim, so that neither can wait for the other in a circle. The application gets its rights on what is new."""
    engine = connect(_url(), pool_size=1, statement_timeout_s=600)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({roles.LOCK})")
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True, render_item=_render)
        with context.begin_transaction():
            if connection.exec_driver_sql("SELECT to_regclass('alembic_version')").scalar() is not None:
                connection.exec_driver_sql("SELECT version_num FROM alembic_version FOR UPDATE")
            context.run_migrations()
            roles.grant(connection)
        connection.commit()
    engine.dispose()


try:
    run()
except Misconfigured as error:
    raise CommandError(str(error)) from None
except OperationalError as error:
    why = " ".join(str(error.orig).split())
    raise CommandError(
        f"the database can't be used: {why}; see that PostgreSQL runs and ADHOP_DATABASE_URL is right"
    ) from None
