"""Mutants: one mechanism of the contract broken each. Some test of the chaos suite must fail under every one of them."""

import os
import time
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from chaos_injection import die, mutant, strikes


@mutant("worker.queue.claims")
def no_fencing(claims: ModuleType) -> None:
    """Whoever has once held a row may write it."""
    claims._mine = lambda lease: lease.table.id == lease.id
    claims.locked = lambda session, leases: set(leases)


@mutant("worker.queue.claims")
def no_row_locks(claims: ModuleType) -> None:
    """Two workers may choose the same row, and take it whatever its state is by then; the pause makes it likely."""
    from sqlalchemy import Select, update

    claim, lock, moved = claims.claim, Select.with_for_update, claims.moved

    def unguarded(table: Any, to: Any, *which: Any, **values: Any) -> Any:
        return update(table).where(*which).values(state=to, **values)

    def pause(query: Any, **_: Any) -> Any:
        return query

    def unlocked(session: Any, *arguments: Any, **named: Any) -> Any:
        scalars = session.scalars

        def slowly(statement: Any) -> Any:
            found = scalars(statement)
            time.sleep(0.3)
            return found

        Select.with_for_update, session.scalars, claims.moved = pause, slowly, unguarded
        try:
            return claim(session, *arguments, **named)
        finally:
            Select.with_for_update, session.scalars, claims.moved = lock, scalars, moved

    claims.claim = unlocked


@mutant("worker.queue.claims")
def attempts_counted_afterwards(claims: ModuleType) -> None:
    """A row that takes its worker down is not counted."""
    claim = claims.claim

    def uncounted(session: Any, table: Any, *arguments: Any, **named: Any) -> Any:
        rows = claim(session, table, *arguments, **named)
        for row in rows:
            row.attempts -= 1
        session.flush()
        return rows

    claims.claim = uncounted


@mutant("worker.queue.claims")
def last_attempts_are_shared(claims: ModuleType) -> None:
    """The innocent are given up with the guilty."""
    claim = claims.claim

    def together(*arguments: Any, trial: Any = None, **named: Any) -> Any:
        return [] if trial is claims.Trial.ALONE else claim(*arguments, **named)

    claims.claim = together


@mutant("worker.tasks.claiming")
def last_attempts_wait_for_idleness(claiming: ModuleType) -> None:
    """A worker takes more beside what it holds, so that it never comes to hold nothing."""
    take, asked = claiming.Claiming._take, claiming.Claiming.last_attempts

    def greedily(self: Any, wanted: Any, gained: Any) -> None:
        claiming.Claiming.last_attempts = asked if wanted.idle else (lambda *_: [])
        take(self, wanted, gained)

    claiming.Claiming._take = greedily


@mutant("worker.queue.expiry")
def expired_leases_stay(expiry: ModuleType) -> None:
    """Recovery is left to the broker's visibility timeout."""
    expiry.end_expired = lambda session, max_attempts: set()


@mutant("worker.queue.claims")
def leases_by_the_workers_clock(claims: ModuleType) -> None:
    func = claims.func

    class Clock:
        def __getattr__(self, name: str) -> Any:
            return (lambda: datetime.now(UTC)) if name == "now" else getattr(func, name)

    claims.func = Clock()


@mutant("worker.queue.eligible")
def oldest_first(eligible: ModuleType) -> None:
    """No turns: a user's five hundred jobs go before another's first."""

    in_turn = eligible._in_turn

    def by_age(standing: Any, rows: Any) -> Any:
        found = in_turn(standing, rows)
        nothing = eligible.literal(0.0).label("counted_s")
        return eligible.select(*[nothing if one.name == "counted_s" else one for one in found.c]).subquery()

    eligible._in_turn = by_age


@mutant("worker.lifecycle.lease_keeper")
def no_renewal(lease: ModuleType) -> None:
    lease.LeaseKeeper._renew = lambda self: None


@mutant("api.jobs.repository")
def notification_before_commit(jobs: ModuleType) -> None:
    submit = jobs.submit

    def notified(*arguments: Any, **named: Any) -> Any:
        found = submit(*arguments, **named)
        if strikes("die-before-notification"):
            die()
        return found

    jobs.submit = notified


@mutant("worker.lifecycle.shutdown")
def a_stop_is_ignored(stopping: ModuleType) -> None:
    stopping.requested = lambda: False


@mutant("shared.database.workflow.transitions")
def cancelled_work_goes_on(transitions: ModuleType) -> None:
    """Ending a job leaves its open rows as they are."""
    moved = transitions.moved

    def left_open(table: Any, to: Any, *which: Any, **values: Any) -> Any:
        return transitions.select(1) if to == "cancelled" else moved(table, to, *which, **values)

    transitions.moved = left_open


def _configured(broker: ModuleType, **changes: Any) -> None:
    make = broker.celery_app

    def made(settings: Any) -> Any:
        app = make(settings)
        app.conf.update(**changes)
        return app

    broker.celery_app = made


@mutant("shared.broker")
def tasks_die_with_their_connection(broker: ModuleType) -> None:
    """Celery's default from 6.0 on."""
    _configured(broker, worker_cancel_long_running_tasks_on_connection_loss=True)


@mutant("shared.broker")
def no_hard_limit(broker: ModuleType) -> None:
    _configured(broker, task_time_limit=None)


@mutant("shared.broker")
def messages_expire(broker: ModuleType) -> None:
    """By the clock of whoever reads them."""
    make = broker.celery_app

    def made(settings: Any) -> Any:
        app = make(settings)
        send = app.send_task
        app.send_task = lambda *arguments, **named: send(*arguments, expires=300, **named)
        return app

    broker.celery_app = made


@mutant("services.forces.engine")
def batches_are_not_halved(engine: ModuleType) -> None:
    def evaluate(self: Any, structures: Any) -> Any:
        try:
            return self._potential.evaluate(structures)
        except engine.OutOfMemory as failure:
            return [engine.OutOfMemory(str(failure)) for _ in structures]

    engine.Engine._evaluate = evaluate


@mutant("worker.tasks.hop")
def chance_from_the_system(hop: ModuleType) -> None:
    """A walker's numbers depend on when it runs."""
    hop._seed = lambda parameters, row: (int.from_bytes(os.urandom(4), "big"),)


@mutant("shared.database.revision")
def any_version_will_do(revision: ModuleType) -> None:
    revision.check = lambda session: None


@mutant("api.notifications")
def the_answer_waits_for_the_broker(notifications: ModuleType) -> None:
    def notify_cpu(self: Any) -> None:
        while not self._notifier.notify_cpu():
            time.sleep(0.5)

    notifications.BackgroundNotifier.notify_cpu = notify_cpu


@mutant("worker.lifecycle.watchdog")
def no_watchdog(watchdog: ModuleType) -> None:
    """A worker that takes no message is left alone."""
    watchdog.Watchdog.expired = lambda *_, **__: False


@mutant("worker.lifecycle.acknowledgement")
def lost_acknowledgements_keep_their_place(acknowledgement: ModuleType) -> None:
    """As Celery has it."""
    acknowledgement.AlwaysAcknowledged.acknowledge = acknowledgement.Request.acknowledge


@mutant("worker.tasks.stage_task")
def a_lost_stage_fails_its_job(stage_task: ModuleType) -> None:
    """As a stage beyond its limits does."""

    def fail(self: Any, lease: Any, failure: Any) -> None:
        with self._sessions() as session:
            row = session.get_one(lease.table, lease.id)
        self._fail(lease, row, failure.kind, str(failure))

    stage_task.StageTask._end_attempt = fail
