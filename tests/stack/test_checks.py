"""`python -m worker check --name NAME`, by which a container's engine tells whether a Celery worker answers."""

import subprocess
import sys

import pytest

from local import processes
from local.stack import ROOT, Stack
from tests.stack.conftest import wait_until

pytestmark = pytest.mark.stack


def checked(stack: Stack, name: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "worker", "check", "--name", name]
    return subprocess.run(words, env=stack.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_worker_that_answers_is_told_from_one_that_does_not(stack: Stack):
    stack.start(processes.CPU)
    wait_until(lambda: checked(stack, "cpu").returncode == 0, 60, "the CPU worker's answer")
    assert checked(stack, "cpu").stdout.endswith(" is at work\n")
    other = checked(stack, "another")
    assert other.returncode == 1
    assert other.stderr.startswith("another@")
    stack.valkey.kill()
    away = checked(stack, "cpu")
    assert away.returncode == 1
    assert "Traceback" not in away.stderr
