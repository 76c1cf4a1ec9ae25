"""A heartbeat that outlives whatever goes wrong in it, and a child that ends where it can't start."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

from shared.settings import Settings
from worker.lifecycle import heartbeat
from worker.lifecycle.heartbeat import Heartbeat
from worker.lifecycle.shutdown import EXIT_DEVICE_FAULT

ROOT = Path(__file__).resolve().parents[3]


def test_a_heartbeat_outlives_what_nobody_foresaw(monkeypatch, caplog):
    """As an error of NVIDIA's library was, once. A thread that died took the worker off the list without a word."""
    monkeypatch.setattr(heartbeat, "INTERVAL_S", 0.01)
    beats, done = [], threading.Event()

    def beat() -> None:
        beats.append(len(beats))
        if len(beats) == 1:
            raise RuntimeError("GPU is lost")
        done.set()

    settings = Settings(database_url="postgresql://nowhere", broker_url="redis://nowhere")
    beating = Heartbeat(None, settings, SimpleNamespace())
    monkeypatch.setattr(beating, "_beat", beat)
    beating._thread.start()
    assert done.wait(10)
    beating._stopped.set()
    assert "heartbeat not written" in caplog.text
    assert "GPU is lost" in caplog.text


def test_a_child_that_cannot_start_ends(tmp_path):
    """Celery logs what a handler raises and goes on: each later message would meet a child that has nothing."""
    tmp_path.chmod(0o700)
    environment = {
        **os.environ,
        "ADHOP_DATABASE_URL": "postgresql://nobody:none@127.0.0.1:9/adhop",
        "ADHOP_BROKER_URL": "redis://127.0.0.1:9/0",
        "ADHOP_RUN_DIR": str(tmp_path),
    }
    words = "import worker.app as app; app.RESTART_S = 0.0; app._start(); print('went on')"
    finished = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == EXIT_DEVICE_FAULT, finished.stderr[-2000:]
    assert "went on" not in finished.stdout
    assert "this process can't start, and ends" in finished.stderr
