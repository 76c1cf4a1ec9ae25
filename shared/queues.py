"""Names of Celery queues and tasks. A message only wakes a worker: it carries the name of a member at most."""

from __future__ import annotations

from collections.abc import Sequence

CPU_QUEUE = "cpu"
CPU_TASK = "adhop.stage_task"
MEMBER_TASK = "adhop.member_task"


def member_queue(member: str) -> str:
    """The queue whose messages wake workers that host this member."""
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
