"""The processes of Adhop: which commands, which environment. The Compose file runs the same commands; a test holds them equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_CELERY = ("celery", "-A", "worker.app", "worker", "--loglevel", "INFO")
_QUIET = ("--without-gossip", "--without-mingle")


@dataclass(frozen=True)
class Role:
    """A kind of process. command: with the program's name first, as it stands in the environment's bin folder."""

    name: str
    command: tuple[str, ...]


MIGRATE = Role("migrate", ("alembic", "upgrade", "head"))
API = Role("api", ("python", "-m", "api"))
DISPATCHER = Role("dispatcher", ("python", "-m", "worker.dispatcher"))
CPU = Role("cpu", (*_CELERY, "-Q", "cpu", "-n", "cpu@%h", *_QUIET))


def potentials(members: Sequence[str], name: str = "potentials") -> Role:
    """A worker that hosts these members."""
    queues = ",".join(f"member.{member}" for member in members)
    return Role(name, (*_CELERY, "-Q", queues, "-n", f"{name}@%h", *_QUIET))


def create_user(name: str, role: str) -> Role:
    """Makes a user and prints a key, once."""
    return Role("create-user", ("python", "-m", "shared.database.admin", "create-user", name, "--role", role))
