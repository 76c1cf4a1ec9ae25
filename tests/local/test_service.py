"""One folder, one service: who holds it, how it is found again, and how many workers a machine carries."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from local import processes, service
from local.ports import LOOPBACK, answers, free_port, is_free
from local.service import Running, claimed, running
from shared.child import StartError
from shared.queues import CPU_QUEUE, member_queue

ROOT = Path(__file__).resolve().parent.parent.parent

CLAIM = """
import sys
from pathlib import Path
from local.service import claimed
with claimed(Path(sys.argv[1])) as ours:
    print("ours" if ours else "taken", flush=True)
    if ours:
        sys.stdin.read()
"""


def claim_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Another process that claims the folder, says how that went, and keeps it until its input is closed."""
    command = [sys.executable, "-c", CLAIM, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)


def record(folder: Path, pid: int, started: int) -> Running:
    found = Running(pid, started, "http://127.0.0.1:1", "key", "logs")
    (folder / "running.json").write_text(json.dumps(asdict(found)))
    return found


def test_a_folder_is_claimed_by_one_process_at_a_time(tmp_path):
    with claimed(tmp_path / "new") as ours:
        assert ours
        second = claim_elsewhere(tmp_path / "new")
        assert said(second) == "taken"
        ended(second)
    third = claim_elsewhere(tmp_path / "new")
    assert said(third) == "ours"
    with claimed(tmp_path / "new") as ours:
        assert not ours
    ended(third)
    with claimed(tmp_path / "new") as ours:
        assert ours


def test_a_claimant_that_is_killed_leaves_the_folder_free(tmp_path):
    holder = claim_elsewhere(tmp_path)
    assert said(holder) == "ours"
    holder.send_signal(signal.SIGKILL)
    ended(holder)
    with claimed(tmp_path) as ours:
        assert ours


def test_serving_a_folder_that_is_served_is_refused_and_leaves_its_record(tmp_path):
    holder = claim_elsewhere(tmp_path)
    assert said(holder) == "ours"
    found = record(tmp_path, holder.pid, service._started(holder.pid) or -1)
    command = service.command(tmp_path, None)
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 2
    assert answer.stderr.strip() == f"adhop: a service runs in {tmp_path} already"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "running.json"]  # no server was begun
    assert running(tmp_path) == found
    ended(holder)


def test_a_live_service_is_found_by_its_record(tmp_path):
    assert running(tmp_path) is None
    started = service._started(os.getpid())
    assert started is not None
    assert record(tmp_path, os.getpid(), started) == running(tmp_path)


def test_a_record_of_a_process_that_ended_is_ignored(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, text=True)
    started = service._started(process.pid)
    assert started is not None
    record(tmp_path, process.pid, started)
    assert running(tmp_path) is not None
    ended(process)
    assert running(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times come from /proc")
def test_a_record_whose_pid_another_process_got_since_is_ignored(tmp_path):
    started = service._started(os.getpid())
    assert started is not None
    record(tmp_path, os.getpid(), started - 1)
    assert running(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="zombies are told apart by /proc")
def test_a_process_that_ended_but_was_not_waited_for_does_not_count_as_running(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert service._started(process.pid) is None
    process.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"pid": 1}', '{"pid": 1, "unknown": 2}'])
def test_a_damaged_record_counts_as_none(tmp_path, text):
    (tmp_path / "running.json").write_text(text)
    assert running(tmp_path) is None


def test_a_port_that_is_taken_is_refused_by_name_and_a_free_one_is_used():
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert not is_free(taken)
        assert answers(taken)
        with pytest.raises(StartError, match=f"port {taken} is taken"):
            service._port(taken)
    assert not answers(taken)
    port = free_port()
    assert is_free(port)
    assert service._port(port) == port


def test_free_ports_are_none_that_an_outgoing_connection_may_hold():
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        assert probe.getsockname()[1] >= outgoing
    ports = {free_port() for _ in range(20)}
    assert all(1024 < port < outgoing for port in ports)
    assert len(ports) > 1


def test_a_workers_queues_are_those_that_messages_are_sent_to():
    role = processes.potentials(["chgnet-0.3.0", "emt"], "gpu-0")
    assert role.command[role.command.index("-Q") + 1].split(",") == [member_queue("chgnet-0.3.0"), member_queue("emt")]
    assert role.command[role.command.index("-n") + 1] == "gpu-0@%h"
    assert processes.CPU.command[processes.CPU.command.index("-Q") + 1] == CPU_QUEUE


def test_serving_is_a_command_that_a_port_can_be_given_to(tmp_path):
    assert service.command(tmp_path, None) == [sys.executable, "-m", "local", "serve", "--folder", str(tmp_path)]
    assert service.command(tmp_path, 8123)[-2:] == ["--port", "8123"]
