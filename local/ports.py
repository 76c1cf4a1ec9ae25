"""Free ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST, _TRIES = 15_000, 50


def free_port() -> int:
    """A port that nobody listens on right now, below those that the kernel gives to outgoing connections: between this call
    and its use hundreds of those are made, and one that stays would keep the port from its listener. Somebody may still
    take it first: callers who can start again with another."""
    chance = random.SystemRandom()
    for _ in range(_TRIES):
        port = chance.randrange(_FIRST, _first_outgoing())
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        any_port: int = probe.getsockname()[1]
        return any_port


def _first_outgoing() -> int:
    try:
        first = int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = 0
    return first if first > _FIRST else 2**15


def is_free(port: int) -> bool:
    """Whether this port can be bound on the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    """Whether somebody listens on this port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0
