"""Which CUDA devices are used, on the answers that NVIDIA's management library gives; that library is stood in for at its border."""

import mmap
import sys
from dataclasses import replace
from importlib.metadata import packages_distributions
from types import SimpleNamespace

import pynvml
import pytest

from shared.errors import MachineryFailure, Misconfigured
from worker.members import devices
from worker.members.devices import GIB, Cuda

ONE, TWO, THREE = (
    Cuda(f"GPU-{letter * 8}-0000-1111-2222-333333333333", index, "NVIDIA H100", 80 * GIB, 70 * GIB)
    for index, letter in enumerate("abc")
)
ALL = [ONE, TWO, THREE]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ALL),
        ("", []),
        ("-1", []),
        ("2", [THREE]),
        ("2,0", [THREE, ONE]),
        ("0,0", [ONE]),  # CUDA stops at a repetition too
        ("1,7,0", [TWO]),
        (TWO.uuid, [TWO]),
        ("GPU-bbbb, GPU-a", [TWO, ONE]),
        ("GPU-", []),  # fits all, so it names none
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(visible, expected):
    assert devices.chosen(ALL, visible=visible, wanted=()) == expected


@pytest.mark.parametrize(
    ("visible", "wanted", "expected"),
    [
        (None, ("1",), [TWO]),
        (None, (THREE.uuid, "0", "0"), [THREE, ONE]),
        ("0,1", ("1",), [TWO]),
    ],
)
def test_settings_pick_from_what_is_visible(visible, wanted, expected):
    assert devices.chosen(ALL, visible=visible, wanted=wanted) == expected


def test_a_device_that_is_asked_for_and_not_there_is_named_with_those_that_are():
    with pytest.raises(Misconfigured, match=rf"asks for 2, which isn't visible here; visible are: 0 \({ONE.uuid}\)"):
        devices.chosen(ALL, visible="0", wanted=("2",))
    with pytest.raises(Misconfigured, match="visible are: none"):
        devices.chosen([], visible=None, wanted=("0",))


class Nvml:
    """What the library answers, for two devices; its errors are its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.devices = [ONE, TWO]
        self.opened = 0
        self.lost: set[str] = set()
        self.split: set[str] = set()
        self.capability = (9, 0)
        self.cuda = 13000
        self.silent = 0
        for name in dir(self):
            if name.startswith("nvml"):
                monkeypatch.setattr(pynvml, name, getattr(self, name))

    def nvmlInit(self) -> None:
        if self.silent:
            raise pynvml.NVMLError(self.silent)
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Cuda:
        return self.handle(self.devices[index])

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Cuda:
        found = [one for one in self.devices if one.uuid == uuid]
        if not found:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return self.handle(found[0])

    def handle(self, device: Cuda) -> Cuda:
        if device.uuid in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return device

    def nvmlDeviceGetIndex(self, handle: Cuda) -> int:
        return handle.index

    def nvmlDeviceGetUUID(self, handle: Cuda) -> str:
        return handle.uuid

    def nvmlDeviceGetName(self, handle: Cuda) -> str:
        return handle.name

    def nvmlDeviceGetMemoryInfo(self, handle: Cuda) -> SimpleNamespace:
        return SimpleNamespace(total=handle.total_bytes, free=handle.free_bytes)

    def nvmlDeviceGetMigMode(self, handle: Cuda) -> list[int]:
        if handle.uuid in self.split:
            return [1, 1]
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return self.cuda

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.86.15"

    def nvmlDeviceGetCudaComputeCapability(self, handle: Cuda) -> tuple[int, int]:
        return self.capability


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    monkeypatch.setattr(devices, "torch_cuda", lambda: 13)
    return Nvml(monkeypatch)


def test_the_library_is_nvidias_of_today():
    """A package of 2019 that CHGNet asks for has a pynvml.py too, and whichever is installed last is the one that counts."""
    owners = packages_distributions()["pynvml"]
    assert owners == ["nvidia-ml-py"]
    assert hasattr(pynvml, "nvmlDeviceGetMigMode")


def test_devices_are_described_and_the_library_is_closed_again(nvml):
    assert devices.cuda_devices() == [ONE, TWO]
    assert nvml.opened == 0


def test_a_process_computes_on_the_first_device_that_it_sees(nvml, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", TWO.uuid)
    device = devices.own("cuda")
    assert (device.kind, device.id) == ("cuda", TWO.uuid)
    assert device.title == f"NVIDIA H100 ({TWO.uuid})"
    assert device.free_bytes() == 70 * GIB
    nvml.devices = [ONE]
    with pytest.raises(MachineryFailure, match="does not answer"):
        device.free_bytes()
    with pytest.raises(Misconfigured, match=f"CUDA_VISIBLE_DEVICES={TWO.uuid} shows none of 1"):
        devices.own("cuda")
    assert nvml.opened == 0


def test_a_sick_device_is_left_out_and_its_neighbour_works_on(nvml, monkeypatch, caplog):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", TWO.uuid)
    device = devices.own("cuda")
    nvml.lost = {ONE.uuid}
    assert devices.cuda_devices() == [TWO]
    assert "CUDA device 0 does not answer and is left out: GPU is lost" in caplog.text
    assert device.free_bytes() == 70 * GIB
    nvml.lost = {TWO.uuid}
    with pytest.raises(MachineryFailure, match="does not answer: GPU is lost"):
        device.free_bytes()
    assert nvml.opened == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"cuda": 12080}, "has driver 570.86.15, for CUDA 12; torch is built for CUDA 13: install driver 580 or later"),
        ({"capability": (7, 0)}, "has compute capability 7.0, and torch here needs 7.5"),
        ({"split": {ONE.uuid}}, "is split by MIG"),
    ],
)
def test_a_device_that_torch_cannot_use_says_so_before_anything_is_loaded(nvml, monkeypatch, wrong, reason):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    vars(nvml).update(wrong)
    assert reason in devices.cuda_devices()[0].unusable
    with pytest.raises(Misconfigured, match="the CUDA device NVIDIA H100"):
        devices.own("cuda")


def test_the_cuda_of_the_installed_torch_is_known_without_importing_it():
    assert devices.torch_cuda() == 13


@pytest.mark.parametrize("name", ["visible", "wanted"])
def test_parts_of_a_device_are_refused(name):
    part = "MIG-GPU-aaaaaaaa-0000-1111-2222-333333333333/3/0"
    asked = {"visible": None, "wanted": ()} | {name: part if name == "visible" else (part,)}
    with pytest.raises(Misconfigured, match="only whole devices are used"):
        devices.chosen(ALL, **asked)


@pytest.mark.parametrize("error", ["LIBRARY_NOT_FOUND", "DRIVER_NOT_LOADED"])
def test_without_a_driver_there_are_no_devices(nvml, monkeypatch, tmp_path, error):
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    nvml.silent = getattr(pynvml, f"NVML_ERROR_{error}")
    assert devices.cuda_devices() == []
    with pytest.raises(Misconfigured, match="ADHOP_DEVICE is 'gpu'"):
        devices.own("gpu")
    (tmp_path / "nvidia0").touch()  # a container without the driver's `utility`, or a driver that was updated under us
    with pytest.raises(Misconfigured, match="NVIDIA_DRIVER_CAPABILITIES=compute,utility"):
        devices.cuda_devices()


def test_a_driver_that_fails_is_not_taken_for_none(nvml, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "_DEV", tmp_path)
    nvml.silent = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    with pytest.raises(Misconfigured, match="doesn't answer"):
        devices.cuda_devices()


class Torch:
    """torch.cuda's counters: 3 GiB of tensors, and 50 GiB that its allocator keeps for later."""

    def __init__(self) -> None:
        self.cuda = self
        self.allocated, self.reserved, self.most = 3 * GIB, 53 * GIB, 20 * GIB

    def is_initialized(self) -> bool:
        return True

    def memory_allocated(self) -> int:
        return self.allocated

    def memory_reserved(self) -> int:
        return self.reserved

    def max_memory_allocated(self) -> int:
        return self.most

    def empty_cache(self) -> None:
        self.reserved = self.allocated

    def reset_peak_memory_stats(self) -> None:
        self.most = self.allocated


def test_what_torch_keeps_for_later_is_no_other_users(nvml, monkeypatch):
    """After one large batch the driver counts 60 GiB as taken, and nearly all of it is ours to use."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ONE.uuid)
    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    device = devices.own("cuda")
    nvml.devices = [replace(ONE, free_bytes=20 * GIB)]
    assert device.free_bytes() == 70 * GIB
    assert (device.taken_bytes(), device.most_taken_bytes()) == (3 * GIB, 20 * GIB)
    device.release()
    assert (torch.reserved, device.most_taken_bytes()) == (3 * GIB, 3 * GIB)


def test_the_cpu_says_what_is_free_and_what_this_process_takes():
    assert devices.CPU.free_bytes() > 0
    assert devices.CPU.taken_bytes() > 1_000_000
    before = devices.CPU.taken_bytes()
    with mmap.mmap(-1, 64_000_000) as held:  # an allocator may have room from earlier tests, and may keep what is freed
        held[:] = b"x" * len(held)
        assert devices.CPU.taken_bytes() > before + 60_000_000


def test_a_control_groups_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_CGROUP", tmp_path)
    whole = devices.free_memory()
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert devices.free_memory() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.free_memory() == pytest.approx(whole, rel=0.5)
