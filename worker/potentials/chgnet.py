"""CHGNet, from the checkpoints in its wheel or one in the same format.

B. Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal

from services.forces.potential import Card, Evaluation
from shared.structures import Structure
from worker.potentials.entry import RegistryEntry
from worker.potentials.forwards import TorchPotential
from worker.potentials.identity import agreed, checkpoint
from worker.potentials.inputs import wrapped

with warnings.catch_warnings():
    # nvidia_smi, which CHGNet imports, has invalid escape sequences; Python says so whenever it compiles the file anew.
    warnings.simplefilter("ignore", (DeprecationWarning, SyntaxWarning))
    import chgnet
    from chgnet.graph.crystalgraph import CrystalGraph
    from chgnet.model.model import CHGNet


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
        version=f"{file.parent.name} (chgnet {chgnet.__version__})",
        sha256=entry.sha256,
        energy_kind=entry.energy_kind,
        elements=agreed(entry, frozenset(range(1, 95))),
        cutoff=float(model.graph_converter.atom_graph_cutoff),
        trained_on=entry.trained_on,
        license=entry.license,
    )
    return TorchPotential(card, _Forward(model, device), device=device)


@dataclass(frozen=True)
class _Forward:
    model: CHGNet
    device: str

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        graphs = [self._graph(structure) for structure in structures]
        # "ef" omits stress and magnetic moments, a third of the time.
        predicted = self.model(graphs, task="ef")
        return [
            Evaluation(
                energy=float(energy) * len(structure),  # predicted per atom
                forces=forces.detach().cpu().numpy().astype(np.float64),
            )
            for structure, energy, forces in zip(structures, predicted["e"].tolist(), predicted["f"], strict=True)
        ]

    def _graph(self, structure: Structure) -> CrystalGraph:
        atoms = wrapped(structure)
        lattice = Lattice(structure.cell, pbc=(bool(structure.pbc[0]), bool(structure.pbc[1]), bool(structure.pbc[2])))
        crystal = Crystal(lattice, atoms.numbers, atoms.positions, coords_are_cartesian=True)
        graph: CrystalGraph = self.model.graph_converter(crystal)
        # Gradients are wanted with respect to positions alone; the package turns this tensor into plain numbers on
        # its way, and torch warns where a gradient is lost like that.
        graph.lattice = graph.lattice.detach()
        return graph.to(self.device)
