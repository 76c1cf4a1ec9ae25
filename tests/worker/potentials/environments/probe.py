"""`.venv-NAME/bin/python probe.py ENTRY < structures`, both JSON: what a member of another environment answers, through us and
through its package's own calculator. Prints
JSON: energies and forces `single`, `batched` and `native`, the card, and central differences.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from shared.structures import Structure
from worker.potentials import registry
from worker.potentials.forwards import TorchPotential
from worker.potentials.members_file import MemberTable

STEP = 1e-3


def main() -> None:
    entry = MemberTable.model_validate(json.loads(sys.argv[1])).entry(Path())
    structures = [Structure.from_document(one) for one in json.load(sys.stdin)]
    potential = registry.load(entry, device="cpu")
    on_gpu = TorchPotential(
        potential.card, potential._forward, device="cuda"
    )  # batches as on a GPU; computes where the model is
    calculator = {"mace": mace_calculator, "uma": uma_calculator}[entry.family](entry)
    answers = {
        "single": [plain(one) for one in potential.evaluate(structures)],
        "again": [plain(one) for one in potential.evaluate(structures[:3][::-1])][::-1],
        "batched": [plain(one) for one in on_gpu.evaluate(structures)],
        "native": [native(calculator, one) for one in structures],
        "differences": differences(potential, structures[-1]),
        "card": asdict(potential.card) | {"elements": sorted(potential.card.elements)},
    }
    sys.stdout.write(f"{json.dumps(answers)}\n")


def plain(evaluation) -> list:
    return [evaluation.energy, evaluation.forces.tolist()]


def native(calculator, structure: Structure) -> list:
    atoms = structure.to_atoms()
    atoms.set_constraint()
    atoms.info = {"charge": 0, "spin": 0}
    atoms.calc = calculator
    return [float(atoms.get_potential_energy()), atoms.get_forces().tolist()]


def differences(potential, structure: Structure) -> list:
    """Numerical forces on the last atom, eV/Å [3]."""
    forces = []
    for axis in range(3):
        shift = np.zeros_like(structure.positions)
        shift[-1, axis] = STEP
        ends = [structure.moved(structure.positions + sign * shift) for sign in (1, -1)]
        plus, minus = (one.energy for one in potential.evaluate(ends))
        forces.append((minus - plus) / (2 * STEP))
    return forces


def mace_calculator(entry):
    from mace.calculators import MACECalculator

    return MACECalculator(model_paths=str(entry.path), device="cpu", default_dtype=entry.precision)


def uma_calculator(entry):
    from fairchem.core import FAIRChemCalculator
    from fairchem.core.units.mlip_unit import InferenceSettings

    settings = InferenceSettings(activation_checkpointing=False, base_precision_dtype=entry.precision)
    return FAIRChemCalculator.from_model_checkpoint(
        str(entry.path), task_name="oc20", inference_settings=settings, device="cpu"
    )


if __name__ == "__main__":
    main()
