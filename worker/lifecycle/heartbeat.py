"""Telling the front end that this worker lives, from a thread of its own, so that a long task holds up no heartbeat."""

from __future__ import annotations

import logging
import os
import socket
import threading

from sqlalchemy.exc import SQLAlchemyError

from shared.database import revision
from shared.database.repositories.workers import beat, sign_off
from shared.database.session import Sessions
from shared.settings import Settings
from shared.states import WorkerKind
from worker.members.cache import MemberCache
from worker.members.devices import resident_bytes

log = logging.getLogger(__name__)

INTERVAL_S = 5.0


def worker_name() -> str:
    """host:pid, the owner written on every lease."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Heartbeat:
    """Written from `start` until `stop`, which signs the worker off."""

    def __init__(self, sessions: Sessions, settings: Settings, cache: MemberCache) -> None:
        self._sessions = sessions
        self._members = settings.members
        self._cache = cache
        self._device = cache.device.title if settings.members else "none"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        try:
            with self._sessions.begin() as session:
                sign_off(session, worker_name())
        except SQLAlchemyError as error:
            log.warning("could not sign off: %s", error)

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            try:
                self._beat()
            except SQLAlchemyError as error:
                log.warning("heartbeat not written: %s", error)
            except Exception:
                log.exception("heartbeat not written")

    def _beat(self) -> None:
        unfit = self._cache.absence() if self._members else ""
        with self._sessions.begin() as session:
            version = revision.found(session)
            reason = unfit if version == revision.expected() else revision.mismatch(version)
            beat(
                session,
                name=worker_name(),
                host=socket.gethostname(),
                pid=os.getpid(),
                kind=WorkerKind.POTENTIALS if self._members else WorkerKind.CPU,
                device=self._device,
                members=self._members,
                member_states=self._cache.report(),
                ready=not reason,
                reason=reason,
                memory_bytes=resident_bytes(),
            )
