"""CHGNet, from the checkpoints in its wheel or one in the same format.

B. Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np
import torch

from services.forces.potential import Card, Evaluation
from shared.structures import Structure
from worker.potentials import chgnet_graphs, chgnet_package
from worker.potentials.chgnet_graphs import Graph
from worker.potentials.chgnet_package import CHGNet
from worker.potentials.entry import RegistryEntry
from worker.potentials.forwards import TorchPotential, hosted
from worker.potentials.identity import agreed, checkpoint


def load(entry: RegistryEntry, *, device: str) -> TorchPotential:
    """A CHGNet on `device`: from its wheel, or from a file in the same format."""
    file = checkpoint(entry)
    with redirect_stdout(io.StringIO()):  # it prints its number of parameters
        model = CHGNet.from_file(str(file), mlp_out_bias=False, version=file.parent.name).to(device)
    model.requires_grad_(False).eval()
    # An atom out of everyone's reach has an energy and no force. The default refuses such structures, which a
    # molecule that desorbs in pieces would end in.
    model.graph_converter.set_isolated_atom_response("ignore")
    card = Card(
        name=entry.name,
        family="CHGNet",
        version=f"{file.parent.name} (chgnet {chgnet_package.__version__})",
        sha256=entry.sha256,
        energy_kind=entry.energy_kind,
        elements=agreed(entry, frozenset(range(1, 95))),
        cutoff=float(model.graph_converter.atom_graph_cutoff),
        trained_on=entry.trained_on,
        license=entry.license,
    )
    return hosted(card, _Forward(model, device), model, device=device, tf32=entry.tf32)


@dataclass(frozen=True)
class _Forward:
    model: CHGNet
    device: str

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        graphs = self.prepare(structures)
        predicted = self._one(graphs[0]) if len(graphs) == 1 else self._together(graphs)
        answers = torch.cat([part.double().flatten() for part in predicted]).detach().cpu().numpy()  # one transfer
        energies, forces = answers[: len(graphs)], answers[len(graphs) :].reshape(-1, 3)
        ends = np.cumsum([len(structure) for structure in structures])
        return [
            Evaluation(energy=float(energy) * len(structure), forces=own)  # predicted per atom
            for structure, energy, own in zip(structures, energies, np.split(forces, ends[:-1]), strict=True)
        ]

    def prepare(self, structures: Sequence[Structure]) -> list[Graph]:
        """What the host does before the device can begin."""
        return [Graph.of(structure, *self._cutoffs()) for structure in structures]

    def _cutoffs(self) -> tuple[float, float]:
        converter = self.model.graph_converter
        return float(converter.atom_graph_cutoff), float(converter.bond_graph_cutoff)

    def _one(self, graph: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """By the package's own way, to its last bit. "ef" omits stress and magnetic moments, a third of the time."""
        predicted = self.model([chgnet_graphs.package_graph(graph, *self._cutoffs()).to(self.device)], task="ef")
        return predicted["e"].view(-1), predicted["f"][0]

    def _together(self, graphs: Sequence[Graph]) -> tuple[torch.Tensor, torch.Tensor]:
        """What CHGNet.forward does, on a graph that was put together in one piece."""
        model = self.model
        batched, _ = chgnet_graphs.batch(graphs, model.bond_basis_expansion, model.angle_basis_expansion, self.device)
        predicted = model._compute(batched, compute_force=True)
        energies = predicted["e"]
        if model.composition_model is not None:
            energies = energies + chgnet_graphs.composition_energies(model.composition_model, batched, len(graphs))
        return energies.view(-1), predicted["f"][0]
