"""Names of Celery queues and tasks. A message is only a doorbell: it carries a name at most."""

from __future__ import annotations

CPU_QUEUE = "cpu"
CPU_TASK = "adhop.stages"
MEMBER_TASK = "adhop.advance"


def member_queue(member: str) -> str:
    """The queue whose doorbell rings workers that host this member."""
    return f"member.{member}"
