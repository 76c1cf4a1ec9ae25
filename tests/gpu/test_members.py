"""On a CUDA device: the answers of the CPU, batches that equal their structures alone, and memory that runs out in good order."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111

from shared.errors import Misconfigured, OutOfMemory
from shared.structures import Structure
from worker.potentials import registry

pytestmark = [pytest.mark.gpu, pytest.mark.potentials]
ENTRIES = registry.read(Path(__file__).resolve().parents[1] / "checkpoints/members.toml")
NAMES = ["chgnet-0.3.0", "sevennet-0", "eqv2-small", "gemnet-oc-small", "escn-small"]
ROOM_BYTES = 256 * 2**20
"""What the test of its limit may take beside the weights, whatever the size of the card."""


@pytest.fixture(scope="module")
def torch():
    made = import_module("torch")
    if not made.cuda.is_available():
        pytest.skip("no CUDA device")
    return made


@pytest.fixture(scope="module", params=NAMES)
def pair(request, torch):
    """The potential on the CPU and on the device."""
    entry = ENTRIES[request.param]
    return registry.load(entry, device="cpu"), registry.load(entry, device="cuda")


def adslab(metal, size, seed):
    atoms = fcc111(metal, size, vacuum=7.0)
    add_adsorbate(atoms, Atoms("CO", [[0, 0, 0], [0, 0, 1.15]]), 1.5, "fcc", mol_index=0)
    atoms.pbc = True
    atoms.rattle(0.08, seed=seed)
    atoms.positions += 0.3
    adsorbate = np.arange(len(atoms)) >= len(atoms) - 2
    return Structure.from_atoms(atoms, adsorbate=adsorbate, surface=atoms.get_tags() == 1)


SEVERAL = [
    adslab(metal, size, seed)
    for seed, (metal, size) in enumerate([("Pt", (3, 3, 2)), ("Cu", (3, 3, 3)), ("Ag", (4, 3, 2)), ("Pd", (3, 3, 2))])
]


def test_the_device_says_what_the_cpu_says(pair):
    cpu, cuda = pair
    for one, other in zip(cpu.evaluate(SEVERAL), cuda.evaluate(SEVERAL), strict=True):
        assert other.energy == pytest.approx(one.energy, abs=2e-4)
        assert np.abs(other.forces - one.forces).max() < 2e-3


def test_a_batch_is_its_structures_one_by_one(pair):
    _, cuda = pair
    together = cuda.evaluate([*SEVERAL, *SEVERAL[::-1]])
    for structure, answer, again in zip(SEVERAL, together, together[::-1], strict=False):
        (alone,) = cuda.evaluate([structure])
        assert answer.energy == pytest.approx(alone.energy, abs=1e-4)
        assert again.energy == pytest.approx(alone.energy, abs=1e-4)
        assert np.abs(answer.forces - alone.forces).max() < 1e-3


def test_a_batch_too_large_is_refused_and_a_smaller_one_is_answered(pair, torch):
    _, cuda = pair
    before = cuda.evaluate(SEVERAL[:1])[0]
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_reserved() + ROOM_BYTES
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    try:
        with pytest.raises(OutOfMemory):
            cuda.evaluate([adslab("Pt", (8, 8, 6), seed) for seed in range(24)])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert cuda.evaluate(SEVERAL[:1])[0].energy == pytest.approx(before.energy, abs=1e-4)


def test_every_weight_lies_on_the_device(pair):
    """Where CUDA can't be used a load is refused, so that no answer of the CPU is filed under a GPU."""
    _, cuda = pair
    assert cuda._device == "cuda"
    with pytest.raises(Misconfigured, match="its weights lie on cpu"):
        import_module("worker.potentials.forwards").hosted(
            cuda.card, cuda._forward, import_module("torch").nn.Linear(2, 2), device="cuda"
        )
