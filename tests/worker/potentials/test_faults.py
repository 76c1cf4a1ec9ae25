"""What torch and CUDA say when they fail, in their own words, and what is made of it."""

import warnings
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from services.forces.potential import Evaluation
from shared.errors import DeviceFault, Misconfigured, OutOfMemory
from shared.structures import Structure
from worker.potentials import faults, registry

HINT = (
    "\nSearch for `cudaErrorAssert' in https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html for more information."
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect."
    "\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
)
SCRIPTED = (
    "The following operation failed in the TorchScript interpreter.\n"
    "Traceback of TorchScript, serialized code (most recent call last):\n"
    '  File "code/__torch__/e3nn/o3/___torch_mangle_12.py", line 9, in forward\n    x0 = torch.matmul(x, y)\n'
    "         ~~~~~~~~~~~~ <--- HERE\nRuntimeError: {}\n"
)
MEMORY = [
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.19 GiB of which 1.12 GiB is free.",
    "CUDA error: out of memory" + HINT,
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "CUDA driver error: out of memory",
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.",
]
STICKY = [
    "CUDA error: device-side assert triggered" + HINT,
    "CUDA error: an illegal memory access was encountered" + HINT,
    "CUDA error: unspecified launch failure" + HINT,
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb, m, n, k)`",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA driver error: unspecified launch failure",
]
USELESS = [
    "CUDA error: no kernel image is available for execution on the device" + HINT,
    "The NVIDIA driver on your system is too old (found version 12080). Please update your GPU driver",
    "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
    "CUDA error: all CUDA-capable devices are busy or unavailable" + HINT,
]


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (text, kind)
        for texts, kind in ((MEMORY, OutOfMemory), (STICKY, DeviceFault), (USELESS, Misconfigured))
        for text in texts
    ],
)
def test_each_text_is_the_failure_that_it_tells(text, expected, scripted):
    error = RuntimeError(SCRIPTED.format(text) if scripted else text)
    failure = faults.failure_of(error)
    assert type(failure) is expected
    assert text.splitlines()[0] in str(failure)  # not that an interpreter failed
    assert len(str(failure).splitlines()) == 1


def test_other_errors_are_left_alone():
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)")
    assert faults.failure_of(error) is None
    with pytest.raises(RuntimeError) as caught, faults.translated():
        raise error
    assert caught.value is error


pytestmark = pytest.mark.potentials


@pytest.fixture(scope="module")
def torch():
    return import_module("torch")


@pytest.fixture(scope="module")
def forwards():
    return import_module("worker.potentials.forwards")


STRUCTURE = Structure.from_atoms(
    import_module("ase.build").molecule("CO", cell=[9.0] * 3, pbc=True), adsorbate=[False] * 2, surface=[False] * 2
)


def answering(structures):
    return [Evaluation(0.0, np.zeros((len(one), 3))) for one in structures]


def failing(error):
    def forward(structures):
        raise error

    return forward


def on_gpu(forwards, forward):
    return forwards.TorchPotential(registry.load("emt").card, forward, device="cuda")


def test_an_error_that_left_torchscript_is_read_to_its_end(torch, forwards, tmp_path, monkeypatch):
    """A real one: MACE's networks are scripted, and what fails inside them arrives as a plain RuntimeError."""
    (tmp_path / "scripted.py").write_text("import torch\n\ndef much(n: int):\n    return torch.empty(n)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        much = torch.jit.script(import_module("scripted").much)
    with pytest.raises(RuntimeError) as raised:
        much(2**50)
    assert type(raised.value) is RuntimeError
    assert str(raised.value).startswith("The following operation failed in the TorchScript interpreter.")
    with pytest.raises(OutOfMemory, match="DefaultCPUAllocator: can't allocate memory"):
        on_gpu(forwards, failing(raised.value)).evaluate([STRUCTURE])


@pytest.mark.parametrize("kind", ["OutOfMemoryError", "AcceleratorError"])
def test_want_of_memory_is_no_fault_of_the_device(torch, forwards, kind):
    error = getattr(torch, kind)(MEMORY[0] if kind == "OutOfMemoryError" else MEMORY[1])
    with pytest.raises(OutOfMemory, match="out of memory") as caught:
        on_gpu(forwards, failing(error)).evaluate([STRUCTURE])
    assert caught.value.__context__ is None  # whose traceback would hold the tensors


def test_an_assert_on_the_device_is_a_fault_and_named(torch, forwards):
    with pytest.raises(DeviceFault, match=r"^CUDA error: device-side assert triggered$"):
        on_gpu(forwards, failing(torch.AcceleratorError(STICKY[0]))).evaluate([STRUCTURE])


def test_a_device_that_fails_as_its_memory_is_given_back_is_beyond_use(torch, forwards, monkeypatch):
    """cuBLAS that finds no memory for its handle, and cuBLAS on a device with an error that stays, use the same words."""

    def broken():
        raise torch.AcceleratorError(STICKY[1])

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", broken)
    with pytest.raises(DeviceFault, match="illegal memory access"):
        on_gpu(forwards, failing(RuntimeError(MEMORY[3]))).evaluate([STRUCTURE])


def test_a_structure_too_large_for_the_host_is_out_of_memory_too(forwards):
    potential = forwards.TorchPotential(registry.load("emt").card, failing(RuntimeError(MEMORY[-1])), device="cpu")
    with pytest.raises(OutOfMemory):
        potential.evaluate([STRUCTURE])


def test_weights_on_another_device_than_asked_for_are_refused(torch, forwards):
    """fairchem 1.3 takes the CPU without a word where CUDA can't be used."""
    card = replace(registry.load("emt").card, name="ours")
    with pytest.raises(Misconfigured, match="ours was to be loaded on cuda, and its weights lie on cpu: torch"):
        forwards.hosted(card, answering, torch.nn.Linear(2, 2), device="cuda")
    assert forwards.hosted(card, answering, torch.nn.Linear(2, 2), device="cpu").evaluate([STRUCTURE])


@pytest.mark.parametrize(
    ("text", "expected"), [(STICKY[0], DeviceFault), (MEMORY[0], OutOfMemory), (USELESS[0], Misconfigured)]
)
def test_what_fails_while_a_member_is_loaded_is_told_apart_too(monkeypatch, text, expected):
    """A fault that stays must end the process: it would be tried again every minute where nothing can succeed."""

    def load(entry, *, device):
        raise RuntimeError(text)

    monkeypatch.setattr(registry, "import_module", lambda name: SimpleNamespace(load=load))
    with pytest.raises(expected):
        registry.load("emt")


def test_tf32_holds_for_the_forward_alone(torch, forwards):
    seen = []

    def forward(structures):
        seen.append(torch.get_float32_matmul_precision())
        return answering(structures)

    before = torch.get_float32_matmul_precision()
    for tf32 in (True, False):
        forwards.TorchPotential(registry.load("emt").card, forward, device="cpu", tf32=tf32).evaluate([STRUCTURE])
    assert seen == ["high", "highest"]
    assert torch.get_float32_matmul_precision() == before
