"""The Celery application's settings, and the wake-up messages: the only ones that Adhop sends.

PostgreSQL holds the work; a message says no more than "look". Losing one costs the dispatcher's interval. Messages carry no
expiry: it would be read by the worker's clock, and a worker an hour ahead would throw every message away.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.queues import CPU_QUEUE, CPU_TASK, MEMBER_TASK, member_queue
from shared.settings import Settings

log = logging.getLogger(__name__)

VISIBILITY_TIMEOUT_S = 6 * 3600
"""Redelivery of a message that nobody acknowledged; recovery never waits for it (leases do that)."""


def celery_app(settings: Settings) -> Celery:
    """An app on the settings' broker, configured for long tasks on resident models."""
    transport = {
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "socket_timeout": settings.publish_timeout_s,
        "socket_connect_timeout": settings.publish_timeout_s,
        "socket_keepalive": True,
        "retry_on_timeout": True,
        "max_retries": 1,
    }
    app = Celery("adhop", broker=settings.broker_url.get_secret_value())
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_default_queue=CPU_QUEUE,
        task_create_missing_queues=True,
        task_time_limit=settings.task_time_limit_s,
        worker_prefetch_multiplier=1,
        worker_concurrency=1,
        worker_pool="prefork",
        worker_pool_start_method="spawn",  # CUDA does not survive a fork
        worker_proc_alive_timeout=600,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=transport,
        result_backend_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT_S},
        visibility_timeout=VISIBILITY_TIMEOUT_S,
        broker_pool_limit=2,
    )
    return app


class Notifier:
    """Wakes workers; never raises for a broker that is away, full or frozen. No second message is sent while one waits."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def notify_cpu(self) -> bool:
        """Wake a worker for placements and selections. False where the broker did not take the message."""
        return self._notify(CPU_TASK, CPU_QUEUE, [])

    def notify_member(self, member: str) -> bool:
        """Wake a worker for work that needs this member. False where the broker did not take the message."""
        return self._notify(MEMBER_TASK, member_queue(member), [member])

    def _notify(self, task: str, queue: str, arguments: list[str]) -> bool:
        try:
            if self._waits(queue):
                return True
            self._app.send_task(task, args=arguments, queue=queue, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("wake-up message for %s not sent: %s", queue, error)
            return False
        return True

    def _waits(self, queue: str) -> bool:
        """Whether a message lies in the queue: they must not pile up where no worker listens."""
        with self._app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return int(channel.client.llen(queue)) > 0
