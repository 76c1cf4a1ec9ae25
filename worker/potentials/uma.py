"""UMA, from a local file: its weights are handed out on request.

B. M. Wood et al., 2025, doi:10.48550/arXiv.2506.23971. One network for several levels of theory, chosen by the task:
`oc20` is the RPBE of OC20, as total energies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from fairchem.core.datasets.atomic_data import AtomicData, atomicdata_list_to_batch
from fairchem.core.units.mlip_unit import load_predict_unit
from fairchem.core.units.mlip_unit.api.inference import InferenceSettings

from services.forces.potential import Card, Evaluation
from shared.errors import Misconfigured
from shared.structures import Structure
from worker.potentials.entry import RegistryEntry
from worker.potentials.forwards import TorchPotential, hosted
from worker.potentials.identity import agreed, checkpoint
from worker.potentials.inputs import wrapped
from worker.potentials.oc20.generators import SEED, own_devices, undisturbed

TASK = "oc20"


def load(entry: RegistryEntry, *, device: str) -> TorchPotential:
    """A UMA on `device`. options: `task_name`, `oc20` where it isn't given."""
    file, task = checkpoint(entry), str(entry.options.get("task_name", TASK))
    with undisturbed():  # loading seeds every global generator
        unit: Any = load_predict_unit(str(file), inference_settings=_settings(entry), device=device)
    if task not in unit.dataset_to_tasks:
        known = ", ".join(sorted(unit.dataset_to_tasks))
        raise Misconfigured(f"{entry.name}: its option task_name is {task!r}; the checkpoint has {known}")
    backbone = unit.model.module.backbone
    card = Card(
        name=entry.name,
        family="UMA",
        version=f"{file.stem}, {task} (fairchem-core {version('fairchem-core')})",
        sha256=entry.sha256,
        energy_kind=entry.energy_kind,
        elements=agreed(entry, frozenset(range(1, int(backbone.max_num_elements)))),
        cutoff=float(backbone.cutoff),
        trained_on=entry.trained_on,
        license=entry.license,
    )
    unit.move_to_device()  # it would wait for the first call
    forward = _Forward(unit, task, getattr(torch, entry.precision), device)
    return hosted(card, forward, unit.model, device=device, tf32=entry.tf32)


def _settings(entry: RegistryEntry) -> InferenceSettings:
    """Said outright: the package's default lowers the precision, and merges experts for the composition that comes first."""
    return InferenceSettings(
        tf32=entry.tf32,
        activation_checkpointing=False,
        merge_mole=False,
        compile=False,
        external_graph_gen=False,
        execution_mode="general",
        auto_add_default_untrained_tasks=False,  # a stress that it wasn't trained on, at the price of another gradient
        base_precision_dtype=entry.precision,
    )


@dataclass(frozen=True)
class _Forward:
    unit: Any
    task: str
    dtype: torch.dtype
    device: str

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        batch = self.prepare(structures)
        with torch.random.fork_rng(
            own_devices(self.device)
        ):  # each edge's frame is turned by a random angle, which shows in the last digits
            torch.manual_seed(SEED)
            predicted = self.unit.predict(batch)
        energies = predicted["energy"].detach().cpu().numpy().astype(np.float64).ravel()
        forces = predicted["forces"].detach().cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(structure) for structure in structures])
        return [
            Evaluation(energy=float(energy), forces=own)
            for energy, own in zip(energies, np.split(forces, ends[:-1]), strict=True)
        ]

    def prepare(self, structures: Sequence[Structure]) -> AtomicData:
        """What the host does before the device can begin."""
        return atomicdata_list_to_batch([self._graph(structure) for structure in structures])

    def _graph(self, structure: Structure) -> AtomicData:
        atoms = wrapped(structure)
        atoms.info = {"charge": 0, "spin": 0}
        return AtomicData.from_ase(
            atoms, task_name=self.task, r_edges=False, r_data_keys=["spin", "charge"], target_dtype=self.dtype
        )
