"""`python -m api check`, by which a container's engine tells whether the front end answers."""

import os
import subprocess
import sys

import httpx

from tests.api.conftest import Service, closed_port


def checked(port: int, host: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    servers = {"ADHOP_DATABASE_URL": "postgresql://nowhere", "ADHOP_BROKER_URL": "redis://nowhere"}
    address = {"ADHOP_HOST": host, "ADHOP_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    words = [sys.executable, "-m", "api", "check"]
    return subprocess.run(words, env={**os.environ, **servers, **address}, capture_output=True, text=True, timeout=60)


def test_a_front_end_that_answers_is_told_from_one_that_does_not(service: Service):
    port = httpx.URL(service.url).port
    for host in ("127.0.0.1", "0.0.0.0"):
        done = checked(int(port or 0), host)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"http://127.0.0.1:{port}/healthz answers\n"
    silent = closed_port()
    done = checked(silent)
    assert done.returncode == 1
    assert done.stderr == f"http://127.0.0.1:{silent}/healthz does not answer: [Errno 111] Connection refused\n"
