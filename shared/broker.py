"""The Celery application's settings, and the doorbell: the only message Adhop sends.

PostgreSQL holds the work; a message says no more than "look". Losing one costs the dispatcher's interval. Messages carry no
expiry: it would be read by the worker's clock, and a worker an hour ahead would throw every bell away.
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


class Doorbell:
    """Rings workers; never raises for a broker that is away, full or frozen. A bell that waits to be heard is not rung twice."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def cpu(self) -> bool:
        """Ring for placements and selections."""
        return self._ring(CPU_TASK, CPU_QUEUE, [])

    def member(self, member: str) -> bool:
        """Ring for work that needs this member."""
        return self._ring(MEMBER_TASK, member_queue(member), [member])

    def _ring(self, task: str, queue: str, arguments: list[str]) -> bool:
        try:
            if self._waits(queue):
                return True
            self._app.send_task(task, args=arguments, queue=queue, retry=False)
        except (OperationalError, RedisError, OSError) as error:
            log.warning("doorbell for %s not rung: %s", queue, error)
            return False
        return True

    def _waits(self, queue: str) -> bool:
        """Whether a message lies in the queue: bells must not pile up where no worker listens."""
        with self._app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return int(channel.client.llen(queue)) > 0
