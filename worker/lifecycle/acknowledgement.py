"""What a worker's parent does with a message: it is a bell, and nothing depends on its being acknowledged."""

from __future__ import annotations

from celery.worker.request import Request
from kombu.transport import virtual


class Bell(Request):
    """A request whose end always frees the worker's place for the next message.

    A worker takes one message at a time. Celery logs an acknowledgement that failed and goes on, but Kombu counts the message as
    delivered until it is acknowledged: a broker that is frozen at the end of a task would leave the worker deaf for ever. Here it
    counts as acknowledged. The broker delivers it again after the visibility timeout, which only means "look" once more.
    """

    def acknowledge(self) -> None:
        """Acknowledge the message, at the broker where it answers, and in any case here."""
        super().acknowledge()
        qos = self.message.channel.qos
        if self.message.delivery_tag in qos._delivered:
            virtual.QoS.ack(qos, self.message.delivery_tag)
