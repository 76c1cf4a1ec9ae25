"""Which CUDA devices are used, on the answers that NVIDIA's management library gives; that library is stood in for at its border."""

import mmap
from types import SimpleNamespace

import pynvml
import pytest

from shared.errors import Misconfigured
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
    """What the library answers, for two devices."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.devices = [ONE, TWO]
        self.opened = 0
        for name in dir(self):
            if name.startswith("nvml"):
                monkeypatch.setattr(pynvml, name, getattr(self, name))

    def nvmlInit(self) -> None:
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Cuda:
        return self.devices[index]

    def nvmlDeviceGetUUID(self, handle: Cuda) -> bytes:
        return handle.uuid.encode()  # older versions of the library answer bytes, newer ones str

    def nvmlDeviceGetName(self, handle: Cuda) -> str:
        return handle.name

    def nvmlDeviceGetMemoryInfo(self, handle: Cuda) -> SimpleNamespace:
        return SimpleNamespace(total=handle.total_bytes, free=handle.free_bytes)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    return Nvml(monkeypatch)


def test_devices_are_described_and_the_library_is_closed_again(nvml):
    assert devices.cuda_devices() == [ONE, TWO]
    assert nvml.opened == 0


def test_a_process_computes_on_the_first_device_that_it_sees(nvml, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", TWO.uuid)
    device = devices.own("cuda")
    assert (device.kind, device.id) == ("cuda", TWO.uuid)
    assert device.title == f"NVIDIA H100 ({TWO.uuid})"
    assert device.free_bytes() == 70 * GIB
    assert device.occupied_bytes() == 10 * GIB
    nvml.devices = [ONE]
    with pytest.raises(Misconfigured, match="is gone"):
        device.free_bytes()
    with pytest.raises(Misconfigured, match=f"CUDA_VISIBLE_DEVICES={TWO.uuid} shows none of 1"):
        devices.own("cuda")


def test_without_a_driver_there_are_no_devices(monkeypatch):
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert devices.cuda_devices() == []
    with pytest.raises(Misconfigured, match="ADHOP_DEVICE is 'gpu'"):
        devices.own("gpu")


def test_the_cpu_says_what_is_free_and_what_this_process_takes():
    assert devices.CPU.free_bytes() > 0
    assert devices.CPU.occupied_bytes() > 1_000_000
    before = devices.CPU.occupied_bytes()
    with mmap.mmap(-1, 64_000_000) as held:  # an allocator may have room from earlier tests, and may keep what is freed
        held[:] = b"x" * len(held)
        assert devices.CPU.occupied_bytes() > before + 60_000_000


def test_a_control_groups_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_CGROUP", tmp_path)
    whole = devices.free_memory()
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert devices.free_memory() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.free_memory() == pytest.approx(whole, rel=0.5)
