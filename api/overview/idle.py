"""Why a worker has nothing in hand, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.view import View


class Pieces(View):
    """Pieces of work by kind."""

    stages: int = 0
    references: int = 0
    walkers: int = 0
    evaluations: int = 0

    @property
    def total(self) -> int:
        """Of all kinds."""
        return self.stages + self.references + self.walkers + self.evaluations

    def add(self, kind: str, count: int) -> None:
        """So many more of a kind."""
        setattr(self, kind, getattr(self, kind) + count)


def why_idle(
    *,
    cpu: bool,
    ready: bool,
    reason: str,
    members: Sequence[str],
    held: Pieces,
    queued: Mapping[str, Pieces],
    held_by_member: Mapping[str, Pieces],
) -> str | None:
    """None for a worker that has something in hand. queued, held_by_member: by member; CPU stages under the empty one."""
    if held.total:
        return None
    if not ready:
        return reason or "it is not ready"
    mine = [""] if cpu else members
    waits = [name for name in mine if name in queued and queued[name].total]
    if not waits:
        return "no job has placements to find or minima to choose" if cpu else "no open job has work for its members"
    if cpu:
        return "work was just queued for it"
    busy = [held_by_member[name] for name in waits if name in held_by_member]
    if any(one.references for one in busy):
        return f"what waits for {', '.join(waits)} rests on references that other workers compute"
    if any(one.walkers for one in busy):
        return f"walkers of {', '.join(waits)} wait for the hops of others, which other workers have in hand"
    return f"work was just queued for {', '.join(waits)}, or rests on another member's"
