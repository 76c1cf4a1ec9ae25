"""The members whose checkpoints come in wheels, against their packages' own calculators and against themselves."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule

from benchmarks.calculators import own_calculator
from services.forces.potential import EnergyKind
from shared.errors import InvalidInput, MachineryFailure
from shared.settings import Settings
from shared.structures import Structure
from tests.worker.potentials.systems import twenty
from worker.potentials import registry
from worker.potentials.identity import sha256, verified

pytestmark = pytest.mark.potentials
ROOT = Path(__file__).resolve().parents[3]
MEMBERS = [name for name in registry.names() if name != "emt"]


@pytest.fixture(scope="module", params=MEMBERS)
def potential(request):
    return registry.load(request.param)


def structure_of(atoms):
    return Structure.from_atoms(atoms, adsorbate=[False] * len(atoms), surface=[False] * len(atoms))


def adslab(pbc=True):
    """CO in an fcc hollow of a small Pt slab, shaken: 14 atoms, all inside the cell."""
    slab = fcc111("Pt", (2, 2, 3), a=3.97, vacuum=9.0)
    add_adsorbate(slab, Atoms("CO", [[0, 0, 0], [0, 0, 1.17]]), 1.4, "fcc", mol_index=0)
    slab.pbc = pbc
    slab.rattle(0.06, seed=4)
    slab.positions += [0.5, 0.5, 0.0]
    return slab


# The packages' own calculators warn of the accelerators we do without, and of a lost gradient that we avoid.
@pytest.mark.filterwarnings("ignore:No tensor product accelerator", "ignore:Converting a tensor with requires_grad")
def test_answers_are_those_of_the_packages_own_calculator_alone_and_in_a_batch(potential):
    """Twenty structures, four metals. A batched forward is what a GPU runs; here it runs on the CPU."""
    structures, calculator = twenty(), own_calculator(registry.shipped()[potential.card.name], "cpu")
    answers = potential.evaluate(structures)
    batched = import_module("worker.potentials.forwards").TorchPotential(
        potential.card, potential._forward, device="cuda"
    )
    for structure, answer, in_batch in zip(structures, answers, batched.evaluate(structures), strict=True):
        atoms = structure.to_atoms()
        atoms.calc = calculator
        resolution = float(
            np.spacing(np.float32(abs(answer.energy)))
        )  # 6e-5 eV where the r2SCAN head of MF-0 gives -600 eV
        assert answer.energy == pytest.approx(atoms.get_potential_energy(), abs=max(1e-5, 2.5 * resolution))
        assert np.abs(answer.forces - atoms.get_forces()).max() < 3e-4  # float32: CHGNet's own rounding is 2e-4
        assert in_batch.energy == pytest.approx(answer.energy, abs=1e-4 + 2.5 * resolution)
        assert np.abs(in_batch.forces - answer.forces).max() < 1e-3
        assert answer.forces.dtype == np.float64
        assert isinstance(answer.energy, float)
    assert batched.evaluate([]) == []


def test_forces_are_the_gradient_of_the_energy(potential):
    """Central differences at 0.006 Å: shorter drowns in float32, which knows an energy of 600 eV to 6e-5, longer in the curvature."""
    structure, step = structure_of(adslab()), 6e-3
    forces = potential.evaluate([structure])[0].forces
    for atom in (-2, -1, 9):
        for axis in range(3):
            shift = np.zeros_like(structure.positions)
            shift[atom, axis] = step
            plus, minus = potential.evaluate(
                [structure.moved(structure.positions + shift), structure.moved(structure.positions - shift)]
            )
            numerical = (minus.energy - plus.energy) / (2 * step)
            assert forces[atom, axis] == pytest.approx(numerical, abs=0.02)


def test_batch_mates_and_history_change_no_bit(potential):
    structure = structure_of(adslab())
    gas = molecule("CO", cell=[15.0] * 3, pbc=True)
    alone = potential.evaluate([structure])[0]
    for mates in ([structure_of(gas), structure], [structure.moved(structure.positions * 1.01), structure]):
        again = potential.evaluate(mates)[1]
        assert again.energy == alone.energy
        assert np.array_equal(again.forces, alone.forces)


def test_another_process_gives_the_same_bits(potential):
    if potential.card.name not in Settings.model_fields["default_score_members"].default:
        pytest.skip("each process takes ten seconds: one member of each module, and those of the default ensemble")
    structure = structure_of(adslab())
    script = (
        "import json, sys; from shared.structures import Structure; from worker.potentials import registry\n"
        "structure = Structure.from_document(json.loads(sys.stdin.read()))\n"
        f"answer = registry.load({potential.card.name!r}).evaluate([structure])[0]\n"
        "print(json.dumps([answer.energy, answer.forces.tolist()]))"
    )
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        input=json.dumps(structure.to_document()),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    here = potential.evaluate([structure])[0]
    assert json.loads(finished.stdout) == [here.energy, here.forces.tolist()]
    assert finished.stderr == ""


def test_forces_come_in_the_order_of_the_atoms(potential):
    structure = structure_of(adslab())
    order = np.random.default_rng(0).permutation(len(structure))
    mixed = Structure(
        **{
            **{name: getattr(structure, name) for name in ("cell", "pbc", "adsorbate", "surface", "fixed")},
            "numbers": structure.numbers[order],
            "positions": structure.positions[order],
        }
    )
    first, second = potential.evaluate([structure, mixed])
    assert second.energy == pytest.approx(first.energy, abs=1e-4)
    assert np.abs(second.forces - first.forces[order]).max() < 1e-3


def test_lattice_shifts_change_nothing(potential):
    structure = structure_of(adslab())
    positions = structure.positions.copy()
    positions[3] += structure.cell[0]
    positions[-1] -= 40 * structure.cell[1]
    here, there = potential.evaluate([structure, structure.moved(positions)])
    assert there.energy == pytest.approx(here.energy, abs=1e-4)
    assert np.abs(there.forces - here.forces).max() < 1e-3


@pytest.mark.parametrize("pbc", [True, (True, True, False)])
@pytest.mark.parametrize("name", ["H2", "CO", "N2", "H2O"])
def test_gas_molecules_in_a_box(potential, name, pbc):
    """The same molecule wherever it lies in a box, across the boundary included; no net force."""
    centred = molecule(name, cell=[15.0] * 3, pbc=pbc)
    centred.center()
    across = centred.copy()
    across.positions[:, :2] -= 7.5
    first, second = potential.evaluate([structure_of(centred), structure_of(across)])
    assert np.isfinite(first.forces).all()
    assert np.abs(first.forces.sum(axis=0)).max() < 1e-4
    assert second.energy == pytest.approx(first.energy, abs=1e-4)
    assert np.abs(second.forces - first.forces).max() < 1e-3


def test_lone_atoms_feel_no_force_and_add_up(potential):
    one = Atoms("O", positions=[[7.0, 7.0, 7.0]], cell=[15.0] * 3, pbc=True)
    two = Atoms("O2", positions=[[3.0, 3.0, 3.0], [11.0, 11.0, 11.0]], cell=[17.0] * 3, pbc=True)
    single, pair = potential.evaluate([structure_of(one), structure_of(two)])
    assert single.forces.tolist() == [[0.0, 0.0, 0.0]]
    assert pair.energy == pytest.approx(2 * single.energy, abs=1e-4)


def test_no_structures_no_answers(potential):
    assert potential.evaluate([]) == []


def test_card(potential):
    assert potential.card.name in MEMBERS
    assert potential.card.energy_kind is EnergyKind.TOTAL
    assert len(potential.card.sha256) == 64
    assert potential.card.cutoff == {"CHGNet": 6.0, "SevenNet": 5.0}[potential.card.family]
    assert len(potential.card.elements) == 89
    assert not potential.card.elements & {84, 85, 86, 87, 88, 95}


def test_unknown_element_is_named(potential):
    with pytest.raises(InvalidInput, match=f"{potential.card.name} doesn't know Po, Am"):
        potential.evaluate(
            [structure_of(Atoms(["Po", "Am", "O"], positions=np.eye(3) * 2.0, cell=[9.0] * 3, pbc=True))]
        )


def test_another_file_under_a_members_name_is_refused(tmp_path):
    file = tmp_path / "checkpoint.pth"
    file.write_bytes(b"weights")
    assert verified(file, expected=sha256(file)) == sha256(file)
    # echo -n abc | sha256sum
    with pytest.raises(MachineryFailure, match="not the registered ba7816bf"):
        verified(file, expected="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
