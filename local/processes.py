"""The processes of Adhop: which commands, which environment. The Compose file runs the same commands; a test holds them equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.queues import CPU_QUEUE, member_queue, worker_command


@dataclass(frozen=True)
class Role:
    """A kind of process."""

    name: str
    command: tuple[str, ...]
    """With the program's name first, as it stands in the environment's bin folder."""


ROLES = Role("roles", ("python", "-m", "shared.database.roles"))
"""Of PostgreSQL: the tables' owner and the application."""
MIGRATE = Role("migrate", ("alembic", "upgrade", "head"))
API = Role("api", ("python", "-m", "api"))
DISPATCHER = Role("dispatcher", ("python", "-m", "worker.dispatcher"))
CPU = Role("cpu", worker_command([CPU_QUEUE], "cpu"))


UP = Role("up", ("python", "-m", "worker", "up"))
"""Potentials workers: one for each CUDA device, or some on the CPU."""


def potentials(members: Sequence[str], name: str = "potentials") -> Role:
    """One worker that hosts these members."""
    return Role(name, worker_command([member_queue(member) for member in members], name))


def verify(members: Sequence[str]) -> Role:
    """Compares the members' checkpoints with the registry; ends with 1 where one isn't there."""
    return Role("verify-members", ("python", "-m", "worker.models", "verify", *members))


def create_user(name: str, role: str, key_file: Path) -> Role:
    """Makes a user, and writes a key into a new file that only we can read."""
    words = ("create-user", name, "--role", role, "--key-file", str(key_file))
    return Role("create-user", ("python", "-m", "shared.database.admin", *words))
