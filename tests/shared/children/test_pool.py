"""Child processes under limits: what each limit does, and that the next question is answered all the same."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.children.pool import Broken, Kind, Lost, Pool, Unwanted, Why
from shared.errors import InvalidInput, Unavailable

KIND = Kind(
    name="tests",
    module="tests.shared.children.answering",
    time_limit_s=30.0,
    cpu_s=30,
    memory_bytes=200_000_000,
    queue_limit_s=0.2,
    busy="too many ask",
)


@pytest.fixture(scope="module", params=["json", "pickle"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    made = Pool(replace(KIND, codec=request.param), size=1)
    made.start()
    yield made
    made.close()


def alone(**limits: Any) -> Pool:
    made = Pool(replace(KIND, **limits), size=1)
    made.start()
    return made


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_answers_refusals_and_faults_come_back_as_such(pool):
    assert pool.ask({"what": "say", "word": "é"}) == "é"
    with pytest.raises(InvalidInput, match="not like this") as refused:
        pool.ask({"what": "refuse"})
    assert refused.value.field == "some.field"
    with pytest.raises(Broken, match="KeyError"):
        pool.ask({"what": "break"})
    assert pool.ask({"what": "pid"}) == pool.ask({"what": "pid"})


def test_memory_is_limited_and_the_next_question_is_answered(pool):
    before = pool.ask({"what": "pid"})
    with pytest.raises(Lost) as lost:
        pool.ask({"what": "eat", "bytes": 10**9})
    assert (lost.value.why, lost.value.memory) == (Why.MEMORY, True)
    assert pool.ask({"what": "eat", "bytes": 10**7}) == 10**7
    assert pool.ask({"what": "pid"}) != before


def test_a_child_that_ends_by_itself_says_with_what_status(pool):
    with pytest.raises(Lost, match="ended with status 3") as lost:
        pool.ask({"what": "end"})
    assert lost.value.why is Why.ENDED
    assert pool.ask({"what": "say", "word": 1}) == 1


@pytest.mark.parametrize(("what", "limits"), [("sleep", {"time_limit_s": 1.0}), ("burn", {"cpu_s": 1})])
def test_time_is_limited_by_the_clock_and_by_the_processor(what, limits):
    pool = alone(**limits)
    try:
        began = time.monotonic()
        with pytest.raises(Lost) as lost:
            pool.ask({"what": what, "s": 60})
        assert lost.value.why is Why.TIME
        assert time.monotonic() - began < 25
        assert pool.ask({"what": "say", "word": 1}) == 1
    finally:
        pool.close()


def test_a_child_whose_answer_nobody_wants_is_ended_at_once(pool):
    child = pool.ask({"what": "pid"})
    unwanted = threading.Event()
    threading.Timer(0.5, unwanted.set).start()
    began = time.monotonic()
    with pytest.raises(Unwanted):
        pool.ask({"what": "burn", "s": 60}, lambda: not unwanted.is_set())
    assert time.monotonic() - began < 20  # long before its minute is over
    assert is_gone(child)
    assert pool.ask({"what": "say", "word": 1}) == 1


def test_a_child_knows_no_settings_and_writes_no_file(pool, monkeypatch):
    monkeypatch.setenv("ADHOP_DATABASE_URL", "postgresql://somebody:secret@nowhere/none")
    fresh = alone()
    try:
        assert fresh.ask({"what": "environment"}) == []
        with pytest.raises((Broken, Lost)):
            fresh.ask({"what": "write"})
    finally:
        fresh.close()


def test_who_finds_no_child_free_is_sent_away():
    pool = alone(most_waiting=0)
    try:
        asked = threading.Event()
        thread = threading.Thread(target=lambda: pool.ask({"what": "sleep", "s": 2}, lambda: asked.set() or True))
        thread.start()
        assert asked.wait(30)
        with pytest.raises(Unavailable, match="too many ask"):
            pool.ask({"what": "pid"})
        thread.join()
        assert pool.ask({"what": "say", "word": 1}) == 1
    finally:
        pool.close()


def test_a_child_ends_soon_after_its_parent_was_killed_whatever_it_computes():
    program = (
        "import threading, time\n"
        "from tests.shared.children.test_pool import KIND\n"
        "from shared.children.pool import Pool\n"
        "pool = Pool(KIND, size=1)\n"
        "print(pool.ask({'what': 'pid'}), flush=True)\n"
        "pool.ask({'what': 'burn', 's': 60})\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 30
    while not is_gone(child):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_pickled_messages_keep_arrays():
    pool = alone(codec="pickle")
    try:
        there = np.arange(12.0).reshape(4, 3)
        assert np.array_equal(pool.ask({"what": "say", "word": there}), there)
    finally:
        pool.close()


def test_a_child_is_told_no_secret(monkeypatch: pytest.MonkeyPatch):
    secrets = (
        "ADHOP_DATABASE_URL",
        "ADHOP_KEY",
        "CELERY_BROKER_URL",
        "PGPASSWORD",
        "DATABASE_OWNER_PASSWORD",
        "API_TOKEN",
    )
    for name in secrets:
        monkeypatch.setenv(name, "very-secret")
    monkeypatch.setenv("LC_NUMERIC", "C")
    made = alone()
    try:
        pid = made.ask({"what": "pid"})
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert not [one for one in environment if b"very-secret" in one]
        assert b"LC_NUMERIC=C" in environment
    finally:
        made.close()
