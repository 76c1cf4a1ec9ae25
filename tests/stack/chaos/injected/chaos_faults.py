"""The faults. Each lies over one module of the product, and does nothing until a test arms it."""

import dataclasses
import functools
from types import ModuleType
from typing import Any

from chaos_injection import die, freeze, note, over, strikes


@over("worker.queue.claims")
def audit(claims: ModuleType) -> None:
    """Tells the database's triggers which token a write is made with."""
    from sqlalchemy import text

    def telling(write: Any) -> Any:
        @functools.wraps(write)
        def told(session: Any, lease: Any, *arguments: Any, **values: Any) -> None:
            session.execute(text("SELECT set_config('adhop.token', :token, true)"), {"token": str(lease.token)})
            write(session, lease, *arguments, **values)

        return told

    claims.finish, claims.end_attempt = telling(claims.finish), telling(claims.end_attempt)


@over("worker.tasks.member_task")
def around_commits(member_task: ModuleType) -> None:
    """`kill-before-commit`, `freeze-in-transaction`: inside the transaction that stores a hop, with everything written.
    `kill-after-commit`, `answer-lost`: when it has been applied. `freeze-before-store`: after the last look at the own leases."""
    from worker.tasks.hop import HopItem

    write = HopItem.store
    store = member_task.MemberTask._store

    def written(self: Any, session: Any, result: Any) -> None:
        write(self, session, result)
        if self.walker.hop >= 1:
            session.flush()
            if strikes("kill-before-commit"):
                die()
            if strikes("freeze-in-transaction"):
                freeze()

    def stored(self: Any, lease: Any, item: Any, outcome: Any) -> None:
        if not isinstance(item, HopItem) or item.walker.hop < 1:
            store(self, lease, item, outcome)
            return
        late = strikes("freeze-before-store")
        if late:
            freeze()
        try:
            store(self, lease, item, outcome)
        except Exception as error:
            if late:
                note("late-write", type(error).__name__)
            raise
        if late:
            note("late-write", "accepted")
        if strikes("kill-after-commit"):
            die()
        if strikes("answer-lost"):
            raise member_task.OperationalError("COMMIT", None, Exception("the connection is lost"))

    HopItem.store = written
    member_task.MemberTask._store = stored


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
