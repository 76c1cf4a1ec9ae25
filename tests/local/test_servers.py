"""The embedded servers: real, private, and gone when they should be."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from local.postgres import Postgres
from local.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent.parent


def test_postgres_keeps_its_data_over_a_restart(tmp_path):
    server = Postgres(tmp_path / "pg", durable=False)
    server.start()
    try:
        with psycopg.connect(server.create_database("kept")) as connection:
            connection.execute("CREATE TABLE numbers AS SELECT 7 AS n")
        server.stop()
        assert not server.running
        server.start()
        with psycopg.connect(server.url("kept")) as connection:
            assert connection.execute("SELECT n FROM numbers").fetchone() == (7,)
            assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    finally:
        server.remove()


def test_postgres_wants_its_password(postgres):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url("postgres").replace("adhop:", "adhop:wrong"), connect_timeout=5)


def test_valkey_wants_its_password_and_keeps_what_it_acknowledged(tmp_path):
    broker = Valkey(tmp_path / "valkey")
    broker.start()
    try:
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=broker.port).ping()
        client = redis.Redis.from_url(broker.url)
        client.lpush("queue", "message")
        time.sleep(1.2)  # appendfsync everysec
        broker.kill()
        broker.start()
        assert client.llen("queue") == 1
        client.close()
    finally:
        broker.stop()
    assert oct((tmp_path / "valkey" / "password").stat().st_mode & 0o777) == "0o600"


def test_servers_die_with_a_launcher_that_is_killed(tmp_path):
    """kill -9 leaves no chance to clean up; nothing may stay all the same."""
    script = (
        "import sys, time; from pathlib import Path; from local.postgres import Postgres; from local.valkey import Valkey\n"
        "p = Postgres(Path(sys.argv[1]) / 'pg', durable=False); p.start(); v = Valkey(Path(sys.argv[1]) / 'v'); v.start()\n"
        "print(p._child.process.pid, v._child.process.pid, flush=True); time.sleep(60)"
    )
    launcher = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert launcher.stdout is not None
    pids = [int(pid) for pid in launcher.stdout.readline().split()]
    assert len(pids) == 2
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    launcher.stdout.close()
    until = time.monotonic() + 15
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < until, "a server outlived its launcher"
        time.sleep(0.1)
    Postgres(tmp_path / "pg").remove()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
