"""The faults. Each lies over one module of the product, and does nothing until a test arms it."""

import dataclasses
import functools
from types import ModuleType
from typing import Any

from chaos_injection import die, freeze, note, over, strikes


@over("worker.queue.claims")
def audit(claims: ModuleType) -> None:
    """Tells the database's triggers which token each row is written with."""
    import json

    from sqlalchemy import text

    def tell(session: Any, leases: Any) -> None:
        tokens = json.dumps({f"{one.table.__tablename__}/{one.id}": one.token for one in leases})
        session.execute(text("SELECT set_config('adhop.tokens', :tokens, true)"), {"tokens": tokens})

    finish, end = claims.finish_all, claims.end_attempt

    @functools.wraps(finish)
    def finished(session: Any, endings: Any) -> None:
        some = list(endings)
        tell(session, [lease for lease, _ in some])
        finish(session, some)

    @functools.wraps(end)
    def ended(session: Any, lease: Any, *arguments: Any) -> None:
        tell(session, [lease])
        end(session, lease, *arguments)

    claims.finish_all, claims.end_attempt = finished, ended


@over("worker.tasks.storing")
def around_commits(storing: ModuleType) -> None:
    """`kill-before-commit`, `freeze-in-transaction`: inside the transaction that stores hops, with everything written.
    `kill-after-commit`, `answer-lost`: when it has been applied. `freeze-before-store`: after the last look at the own leases. All of
    them where hops are stored together, and where one is by itself."""
    write, store, together = storing.Storing._write, storing.Storing._store, storing.Storing._commit_together
    not_yet: list[Any] = []  # what a sleeper holds whose connection was cut meanwhile: its next try is the late write

    def hops(finished: Any) -> bool:
        return any(isinstance(one.item, storing.HopItem) and one.item.walker.hop >= 1 for one in finished)

    def written(self: Any, session: Any, held: Any) -> None:
        write(self, session, held)
        if hops(held):
            session.flush()
            if strikes("kill-before-commit"):
                die()
            if strikes("freeze-in-transaction"):
                freeze()

    def around(commit: Any, finished: Any) -> Any:
        if not hops(finished):
            return commit()
        late = any(one is other for one in finished for other in not_yet)
        if strikes("freeze-before-store"):
            late = True
            freeze()
        try:
            found = commit()
        except storing.OperationalError:
            not_yet.extend(finished if late else [])
            raise
        except Exception as error:
            if late:
                not_yet.clear()
                note("late-write", type(error).__name__)
            raise
        if late:
            not_yet.clear()
            note("late-write", "accepted" if found is None or hops(found) else "LostLease")
        if strikes("kill-after-commit"):
            die()
        if strikes("answer-lost"):
            raise storing.OperationalError("COMMIT", None, Exception("the connection is lost"))
        return found

    keep = storing.commit_while_held

    def kept(lease: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return keep(lease, *arguments, **named)
        except storing.LostLease as lost:  # known before the next try: the late write isn't made
            if any(one.lease == lease for one in not_yet):
                not_yet.clear()
                note("late-write", type(lost).__name__)
            raise

    storing.Storing._write, storing.commit_while_held = written, kept
    storing.Storing._store = lambda self, one: around(lambda: store(self, one), [one])
    storing.Storing._commit_together = lambda self, some: around(lambda: together(self, some), some)


@over("api.notifications")
def around_notifications(notifications: ModuleType) -> None:
    """`die-before-notification`: the job is committed, no worker was notified, nothing was answered."""
    notify = notifications.BackgroundNotifier.notify_cpu

    def notified(self: Any) -> None:
        if strikes("die-before-notification"):
            die()
        notify(self)

    notifications.BackgroundNotifier.notify_cpu = notified


@over("shared.database.session")
def impatient(session: ModuleType) -> None:
    """Transactions that stand still are ended sooner than in the product, so that no test waits a minute for it."""
    session.IDLE_S = 6.0


@over("worker.potentials.registry")
def members(registry: ModuleType) -> None:
    """The toy members, which no product should know."""
    read, load = registry.read, registry.load

    def known(file: Any) -> Any:
        from chaos_potentials import KINDS

        whole = read(file)
        toys = {name: dataclasses.replace(whole["emt"], name=name) for name in KINDS}
        return dataclasses.replace(whole, entries={**whole.entries, **toys})

    def made(member: Any, **settings: Any) -> Any:
        from chaos_potentials import KINDS

        name = getattr(member, "name", member)
        return KINDS[name]() if name in KINDS else load(member, **settings)

    registry.read, registry.load = known, made


@over("worker.lifecycle.acknowledgement")
def acknowledgements(acknowledgement: ModuleType) -> None:
    """`place-taken`: a message keeps the only place of the worker for ever."""
    acknowledge = acknowledgement.AlwaysAcknowledged.acknowledge

    def swallowed(self: Any) -> None:
        if not strikes("place-taken"):
            acknowledge(self)

    acknowledgement.AlwaysAcknowledged.acknowledge = swallowed
