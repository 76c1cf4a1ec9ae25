"""How a worker acknowledges messages. A message only wakes it, so nothing depends on whether the broker gets the acknowledgement."""

from __future__ import annotations

from celery.worker.request import Request
from kombu.transport import virtual


class AlwaysAcknowledged(Request):
    """A request whose end always frees the worker's prefetch slot for the next message.

    A worker takes one message at a time. Celery logs an acknowledgement that failed and goes on, but Kombu counts the message as
    delivered until it is acknowledged: a worker whose broker is frozen at the end of a task would never take a message again. Here
    it counts as acknowledged. The broker delivers it again after the visibility timeout, which only means "look" once more.
    """

    def acknowledge(self) -> None:
        """Acknowledge the message, at the broker where it answers, and in any case here."""
        super().acknowledge()
        qos = self.message.channel.qos
        if self.message.delivery_tag in qos._delivered:
            virtual.QoS.ack(qos, self.message.delivery_tag)
