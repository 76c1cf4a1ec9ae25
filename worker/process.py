"""One worker process: its database sessions, the members it hosts, and the tasks it runs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from celery import Celery
from sqlalchemy import Engine

from shared.broker import Notifier
from shared.database.session import Sessions, connect, sessions
from shared.settings import Settings
from worker.lifecycle.heartbeat import Heartbeat
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.members.cache import MemberCache
from worker.tasks.member_task import MemberTask
from worker.tasks.stage_process import StageProcess
from worker.tasks.stage_task import StageTask

log = logging.getLogger(__name__)


@dataclass
class Process:
    settings: Settings
    engine: Engine
    sessions: Sessions
    cache: MemberCache
    heartbeat: Heartbeat
    notifier: Notifier
    stages: StageProcess

    @classmethod
    def start(cls, settings: Settings, app: Celery) -> Process:
        """Register the members and start the heartbeat; each is loaded when it is first needed."""
        engine = connect(settings.database_url.get_secret_value())
        opened = sessions(engine)
        cache = MemberCache.of(settings, opened)
        heartbeat = Heartbeat(opened, settings, cache)
        heartbeat.start()
        notifier = Notifier(app)
        for member in cache.hosted:
            notifier.notify_member(member)  # work may be waiting since before this process lived
        stages = StageProcess(settings)
        if not cache.hosted:
            stages.start()  # a CPU worker
        return cls(settings, engine, opened, cache, heartbeat, notifier, stages)

    def stop(self) -> None:
        self.heartbeat.stop()
        self.stages.close()
        self.engine.dispose()

    def run_member_task(self, member: str) -> None:
        """Work for every hosted member until none is claimable, or the slice of time is over."""
        if member not in self.cache.hosted:
            log.warning("ignored a message for %s, which this worker does not host", member)
            return
        with LeaseKeeper(self.sessions, self.settings.lease_s) as keeper:
            MemberTask(self.settings, self.sessions, self.cache, keeper, self.notifier).run(member)

    def run_stage_task(self) -> None:
        """CPU stages, one at a time, until none is claimable."""
        with LeaseKeeper(self.sessions, self.settings.lease_s) as keeper:
            StageTask(self.settings, self.sessions, keeper, self.notifier, self.stages).run()
