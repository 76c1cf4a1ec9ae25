"""Names of Celery queues and tasks. A message is only a doorbell: it carries a name at most."""

from __future__ import annotations

from collections.abc import Sequence

CPU_QUEUE = "cpu"
CPU_TASK = "adhop.stages"
MEMBER_TASK = "adhop.advance"


def member_queue(member: str) -> str:
    """The queue whose doorbell rings workers that host this member."""
    return f"member.{member}"


def worker_command(queues: Sequence[str], name: str) -> tuple[str, ...]:
    """The command of a Celery worker that listens on these queues; `name` is the part of its node's name before the host."""
    celery = ("celery", "-A", "worker.app", "worker", "--loglevel", "INFO")
    return (
        *celery,
        "-Q",
        ",".join(queues),
        "-n",
        f"{name}@%h",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    )
