"""QCFractal, served as its own commands do, on a database of its own in the same PostgreSQL."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.api.load import Connection, Server
from local.ports import LOOPBACK, answers, free_port
from local.postgres import Postgres
from shared.child import spawn

_USER = "measured"
_SPECIFICATION = {"program": "psi4", "driver": "energy", "method": "hf", "basis": "sto-3g", "keywords": {}}


@contextmanager
def serving(python: Path, postgres: Postgres, folder: Path) -> Iterator[Server]:
    """Its front end alone, with a user who may submit. python: of the environment that it is installed in."""
    program, port, password = python.parent / "qcfractal-server", free_port(), secrets.token_urlsafe(12)
    database = urlsplit(postgres.url("qcfractal"))
    configuration = folder / "qcfractal.yaml"
    configuration.write_text(
        f"base_folder: {folder}\nenable_security: true\nlog_access: false\n"
        f"api: {{secret_key: {secrets.token_hex(16)}, jwt_secret_key: {secrets.token_hex(16)}, host: {LOOPBACK}, port: {port}}}\n"
        f"database: {{own: false, host: {database.hostname}, port: {database.port}, username: {database.username}, "
        f"password: {database.password}, database_name: qcfractal}}\n"
    )
    command = [str(program), "--config", str(configuration)]
    for words in (["init-db"], ["user", "add", _USER, "--role", "admin", "--password", password]):
        subprocess.run([*command, *words], check=True, capture_output=True, cwd=folder)
    child = spawn("qcfractal", [*command, "start-api"], log=folder / "qcfractal.log", cwd=str(folder))
    try:
        until = time.monotonic() + 60
        while not answers(port):
            if time.monotonic() > until or not child.running:
                raise SystemExit(f"QCFractal does not answer:\n{child.tail()}")
            time.sleep(0.2)
        given = {"username": _USER, "password": password}
        _, document, _ = Server(port, {}).connect().ask("POST", "/auth/v1/login", given)
        yield Server(port, {"Authorization": f"Bearer {document['access_token']}"})
    finally:
        child.stop(10)


def submit(connection: Connection, n: int, count: int = 1) -> list[int]:
    """Records of molecules that nobody submitted before. Returns their ids."""
    body = {
        "molecules": [_water(1.5 + 1e-7 * (n * count + i + 1000) + 1e-3 * count) for i in range(count)],
        "specification": _SPECIFICATION,
        "compute_tag": "*",
        "compute_priority": 1,
    }
    _, (_, ids), _ = connection.ask("POST", "/api/v1/records/singlepoint/bulkCreate", body)
    return list(ids)


def poll(connection: Connection, record: int) -> None:
    connection.ask("GET", f"/api/v1/records/{record}")


def listed(connection: Connection, ids: list[int]) -> None:
    connection.ask("POST", "/api/v1/records/bulkGet", {"ids": ids})


def _water(bond: float) -> dict[str, Any]:
    """Bohr."""
    return {"symbols": ["O", "H", "H"], "geometry": [0, 0, 0, 0, 0, bond, 0, 1.7, -0.5]}
