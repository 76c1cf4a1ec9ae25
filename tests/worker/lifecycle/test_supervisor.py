"""What `python -m worker up` would start, and where. tests/stack/test_up.py starts it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import Misconfigured
from shared.settings import Settings
from worker.lifecycle import supervisor
from worker.members import devices
from worker.members.devices import GIB, Cuda
from worker.potentials import registry

ONE = Cuda("GPU-aaaaaaaa-0000", 0, "NVIDIA H100", 80 * GIB, 70 * GIB)
FULL = Cuda("GPU-bbbbbbbb-0000", 1, "NVIDIA H100", 80 * GIB, 2 * GIB)


def settings(**values) -> Settings:
    return Settings(database_url="postgresql://nowhere", broker_url="redis://nowhere", **values)


def test_every_member_that_this_environment_can_load_is_hosted_where_none_is_named():
    hosted = supervisor.members_here(settings(), "cpu")
    assert hosted == registry.names()
    assert supervisor.members_here(settings(members="emt"), "cpu") == ("emt",)


def test_an_environment_that_can_host_nothing_says_why(monkeypatch):
    monkeypatch.setattr(registry, "absence", lambda entry, device: f"{entry.name} lacks its package")
    with pytest.raises(Misconfigured, match="can host no member: emt lacks its package; chgnet"):
        supervisor.members_here(settings(), "cpu")


def test_a_worker_sees_its_own_device_alone_and_listens_for_its_members():
    worker = supervisor.on_device(ONE, ("emt", "sevennet-0"))
    assert worker.variables == {
        "CUDA_VISIBLE_DEVICES": ONE.uuid,
        "ADHOP_DEVICE": "cuda",
        "ADHOP_MEMBERS": "emt,sevennet-0",
    }
    assert worker.command[0] == str(Path(sys.executable).with_name("celery"))
    assert worker.command[worker.command.index("-Q") + 1] == "member.emt,member.sevennet-0"
    assert worker.command[worker.command.index("-n") + 1] == "gpu-0-main@%h"
    assert supervisor.on_cpu(1, ("emt",)).variables["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("prefix", "name"), [("/srv/.venv", "main"), ("/srv/.venv-mace", "mace"), ("/opt/adhop", "adhop")]
)
def test_environments_are_told_apart(monkeypatch, prefix, name):
    monkeypatch.setattr(sys, "prefix", prefix)
    assert supervisor.environment() == name


def test_a_full_device_is_refused_and_said_so():
    assert supervisor.refusal(ONE, 4.0) is None
    assert "device 1 (NVIDIA H100, GPU-bbbbbbbb-0000) has 2.0 GiB free, less than 4 GiB" in str(
        supervisor.refusal(FULL, 4.0)
    )


def test_a_device_that_torch_cannot_use_is_refused_and_said_so():
    old = replace(ONE, unusable="has compute capability 7.0, and torch here needs 7.5")
    assert str(supervisor.refusal(old, 1.0)) == (
        "device 0 (NVIDIA H100, GPU-aaaaaaaa-0000) has compute capability 7.0, and torch here needs 7.5"
    )


def test_work_on_the_cpu_in_a_gpus_place_is_said(monkeypatch, caplog):
    monkeypatch.setattr(devices, "cuda_devices", list)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (worker,) = supervisor.Supervisor(settings(members="emt"))._wanted()
    assert worker.variables["ADHOP_DEVICE"] == "cpu"
    assert "no CUDA device is here: 1 potentials workers compute on the CPU" in caplog.text


def test_the_cpu_may_be_asked_for_where_nvidias_library_fails(monkeypatch):
    def silent():
        raise Misconfigured("NVIDIA's management library doesn't answer")

    monkeypatch.setattr(devices, "cuda_devices", silent)
    with pytest.raises(Misconfigured):
        supervisor.Supervisor(settings(members="emt"))._wanted()
    assert len(supervisor.Supervisor(settings(members="emt", devices="cpu", cpu_workers=2))._wanted()) == 2


def test_a_library_that_fails_later_ends_no_worker(monkeypatch, caplog):
    """Nor is a device that was refused, and is gone when it is looked at again, replaced by workers on the CPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "cuda_devices", lambda: [FULL])
    watching = supervisor.Supervisor(settings(members="emt", min_free_gib=4))
    watching._scan()
    monkeypatch.setattr(devices, "cuda_devices", list)
    watching._scan_again()
    assert watching._watched == {}

    def silent():
        raise Misconfigured("NVIDIA's management library doesn't answer")

    monkeypatch.setattr(devices, "cuda_devices", silent)
    watching._scan_again()
    assert "devices not looked at again: NVIDIA's management library" in caplog.text


def test_a_gpu_gets_enough_walkers():
    assert settings().walkers_per_worker == 8
    assert settings(device="cuda").walkers_per_worker == 32
    assert settings(device="cuda", walkers_per_worker=5).walkers_per_worker == 5


def test_a_device_asked_for_and_not_there_ends_it_with_a_message(monkeypatch):
    monkeypatch.setattr(devices, "cuda_devices", lambda: [ONE])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(Misconfigured, match="ADHOP_DEVICES asks for 3"):
        supervisor.Supervisor(settings(devices="3"))._wanted()
