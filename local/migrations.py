"""`python -m local.migrations`: do the migrations build exactly the tables that the code declares? On a PostgreSQL of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from local.postgres import Postgres
from local.stack import ROOT, stop_signals


def configuration(url: str) -> Config:
    """Alembic's configuration for one database."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "shared" / "database" / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def main() -> None:
    """Up, compare, down to nothing, and up again."""
    with tempfile.TemporaryDirectory() as folder, stop_signals():
        server = Postgres(Path(folder) / "postgres", durable=False)
        server.start()
        try:
            config = configuration(server.create_database("migrations"))
            command.upgrade(config, "head")
            command.check(config)
            command.downgrade(config, "base")
            command.upgrade(config, "head")
        finally:
            server.remove()


if __name__ == "__main__":
    main()
