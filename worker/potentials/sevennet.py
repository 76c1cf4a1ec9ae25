"""SevenNet, from the checkpoints in the wheel of sevenn (0, l3i5, MF-0) or another in the same format.

Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190. An E(3)-equivariant network of
the NequIP family. MF-0: J. Kim et al., J. Am. Chem. Soc. 147, 1042 (2025), doi:10.1021/jacs.4c14455.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from pymatgen.optimization.neighbors import find_points_in_spheres

from services.forces.potential import Card, Evaluation
from shared.errors import Misconfigured
from shared.structures import Floats, Integers, Structure
from worker.potentials.entry import RegistryEntry
from worker.potentials.forwards import TorchPotential, hosted
from worker.potentials.identity import agreed, checkpoint
from worker.potentials.inputs import wrapped

with warnings.catch_warnings():
    # e3nn scripts its generated code; torch deprecates torch.jit.script since 2.13.
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=DeprecationWarning)
    from sevenn import _keys as keys
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.util import load_checkpoint


def load(entry: RegistryEntry, *, device: str) -> TorchPotential:
    """A SevenNet on `device`: from its wheel, or from a file. options: `head` names the fidelity of a checkpoint trained on
    several."""
    file = checkpoint(entry)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=DeprecationWarning)
        # The accelerated tensor products need packages that aren't part of this environment.
        model: Any = load_checkpoint(file).build_model(enable_cueq=False, enable_flash=False, enable_oeq=False)
    model.set_is_batch_data(True)
    model.requires_grad_(False)
    model.to(device).eval()
    head = _head(entry, model.modal_map)
    card = Card(
        name=entry.name,
        family="SevenNet",
        version=f"{file.parent.name}{f', {head}' if head else ''} (sevenn {version('sevenn')})",
        sha256=entry.sha256,
        energy_kind=entry.energy_kind,
        elements=agreed(entry, frozenset(int(number) for number in model.type_map)),
        cutoff=float(model.cutoff),
        trained_on=entry.trained_on,
        license=entry.license,
    )
    return hosted(card, _Forward(model, torch.device(device), head), model, device=device, tf32=entry.tf32)


def _head(entry: RegistryEntry, heads: Collection[str] | None) -> str | None:
    """The fidelity that the entry names. Raises Misconfigured where the checkpoint lacks it, or has several and none is named."""
    head, known = entry.options.get("head"), sorted(heads or ())
    if head is None and not known:
        return None
    if head not in known:
        raise Misconfigured(
            f"{entry.name}: its option head is {head!r}; the checkpoint has {', '.join(known) or 'none'}"
        )
    return str(head)


@dataclass(frozen=True)
class _Forward:
    model: Any
    device: torch.device
    head: str | None

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        output = self.model(self.prepare(structures).to(self.device))
        energies = output[keys.PRED_TOTAL_ENERGY].detach().cpu().numpy().astype(np.float64)
        forces = output[keys.PRED_FORCE].detach().cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(structure) for structure in structures])
        return [
            Evaluation(energy=float(energy), forces=own)
            for energy, own in zip(energies, np.split(forces, ends[:-1]), strict=True)
        ]

    def prepare(self, structures: Sequence[Structure]) -> AtomGraphData:
        """What the host does before the device can begin: all structures as one graph."""
        graphs = [_edges(structure, float(self.model.cutoff)) for structure in structures]
        sizes = np.array([len(structure) for structure in structures])
        firsts = np.cumsum(sizes) - sizes
        numbers = torch.from_numpy(np.concatenate([structure.numbers for structure in structures]).astype(np.int64))
        batch = AtomGraphData(
            x=numbers,  # the network puts its own features there
            edge_index=torch.from_numpy(
                np.concatenate([ends + n for (ends, _), n in zip(graphs, firsts, strict=True)], 1)
            ),
        )
        batch[keys.ATOMIC_NUMBERS] = numbers
        batch[keys.EDGE_VEC] = torch.from_numpy(np.concatenate([vectors for _, vectors in graphs])).float()
        batch[keys.NUM_ATOMS] = torch.from_numpy(sizes)
        batch[keys.BATCH] = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
        batch[keys.CELL_VOLUME] = torch.tensor([abs(np.linalg.det(structure.cell)) for structure in structures])
        if self.head is not None:
            batch[keys.DATA_MODALITY] = [self.head] * len(structures)
        return batch


def _edges(structure: Structure, cutoff: float) -> tuple[Integers, Floats]:
    """Source and target of each edge [2, n_edges], and the vector between them, Å [n_edges, 3]."""
    atoms = wrapped(structure)
    cell = np.array(atoms.cell.complete().array)
    positions, periodic = np.array(atoms.positions), np.array(structure.pbc, dtype=np.int64)
    found = find_points_in_spheres(positions, positions, r=cutoff, pbc=periodic, lattice=cell, tol=1e-8)
    source, target, image, distance = found
    kept = (source != target) | (distance > 1e-8)
    source, target, image = source[kept], target[kept], image[kept]
    return np.stack((source, target)), positions[target] + image @ cell - positions[source]
