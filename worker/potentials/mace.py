"""MACE, from a local file: its package brings no weights.

I. Batatia et al., NeurIPS 2022, doi:10.48550/arXiv.2206.07697. Equivariant messages of higher body order; forces
are the gradient of the energy.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from services.forces.potential import Card, Evaluation
from shared.errors import Misconfigured
from shared.structures import Structure
from worker.potentials.entry import RegistryEntry
from worker.potentials.forwards import TorchPotential, hosted
from worker.potentials.identity import agreed, checkpoint
from worker.potentials.inputs import wrapped

# e3nn 0.4 pickles a slice among its constants, and scripts its code, which torch deprecates.
with torch.serialization.safe_globals([slice]), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from mace.data import AtomicData, config_from_atoms
    from mace.tools import AtomicNumberTable
    from mace.tools.torch_geometric.batch import Batch
    from mace.tools.torch_tools import default_dtype


def load(entry: RegistryEntry, *, device: str) -> TorchPotential:
    """A MACE on `device`, in the entry's precision. options: `head` names the head of a checkpoint trained on several levels of
    theory."""
    file = checkpoint(entry)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = torch.load(file, map_location=device, weights_only=False)
    model = model.double() if entry.precision == "float64" else model.float()
    model.requires_grad_(False)
    model.to(device).eval()
    numbers = [int(number) for number in model.atomic_numbers]
    head, heads = _head(entry, list(getattr(model, "heads", None) or ["Default"]))
    card = Card(
        name=entry.name,
        family="MACE",
        version=f"{file.stem}, {head} (mace-torch {version('mace-torch')})",
        sha256=entry.sha256,
        energy_kind=entry.energy_kind,
        elements=agreed(entry, frozenset(numbers)),
        cutoff=float(model.r_max),
        trained_on=entry.trained_on,
        license=entry.license,
    )
    forward = _Forward(model, device, entry.precision, AtomicNumberTable(numbers), head, heads)
    return hosted(card, forward, model, device=device, tf32=entry.tf32)


def _head(entry: RegistryEntry, heads: list[str]) -> tuple[str, list[str]]:
    """The head that the entry names, or the only one. Raises Misconfigured."""
    named = entry.options.get("head", heads[0] if len(heads) == 1 else None)
    if named not in heads:
        raise Misconfigured(f"{entry.name}: its option head is {named!r}; the checkpoint has {', '.join(heads)}")
    return str(named), heads


@dataclass(frozen=True)
class _Forward:
    model: Any
    device: str
    precision: str
    table: AtomicNumberTable
    head: str
    heads: list[str]

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        with default_dtype(self.precision):
            output = self.model(self.prepare(structures).to(self.device).to_dict(), compute_stress=False)
        energies = output["energy"].detach().cpu().numpy().astype(np.float64)
        forces = output["forces"].detach().cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(structure) for structure in structures])
        return [
            Evaluation(energy=float(energy), forces=own)
            for energy, own in zip(energies, np.split(forces, ends[:-1]), strict=True)
        ]

    def prepare(self, structures: Sequence[Structure]) -> Batch:
        """What the host does before the device can begin."""
        return Batch.from_data_list([self._graph(structure) for structure in structures])

    def _graph(self, structure: Structure) -> AtomicData:
        config = config_from_atoms(wrapped(structure), head_name=self.head)
        return AtomicData.from_config(config, z_table=self.table, cutoff=float(self.model.r_max), heads=self.heads)
