"""CHGNet, from the checkpoints in its wheel.

B. Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal

from services.potential import Card, EnergyKind, Evaluation
from shared.structures import Structure
from worker.potentials.forwards import TorchMember
from worker.potentials.identity import verified
from worker.potentials.inputs import wrapped

with warnings.catch_warnings():
    # nvidia_smi, which CHGNet imports, has invalid escape sequences; Python says so whenever it compiles the file anew.
    warnings.simplefilter("ignore", (DeprecationWarning, SyntaxWarning))
    import chgnet
    from chgnet.graph.crystalgraph import CrystalGraph
    from chgnet.model.model import CHGNet

# MPtrj has 89 elements. The embedding has rows up to Pu, but those of Po to Ra were never trained.
_ELEMENTS = frozenset(range(1, 95)) - frozenset(range(84, 89))


@dataclass(frozen=True)
class _Checkpoint:
    model_name: str
    file: str
    sha256: str
    trained_on: str


_CHECKPOINTS = {
    "chgnet-0.3.0": _Checkpoint(
        model_name="0.3.0",
        file="0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
        sha256="d14ab7c0f093efe64b60a7bcd540bca10e74fb7f46c86108a079af60524659d1",
        trained_on="MPtrj: relaxations of bulk crystals, PBE and PBE+U",
    ),
    "chgnet-r2scan": _Checkpoint(
        model_name="r2scan",
        file="r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23.pth.tar",
        sha256="8eba3db0f35a2788bb3ae22885ad340591e27996f213c6643af522a633b50dad",
        trained_on="MPtrj (PBE, PBE+U), then transfer learning on MP-r2SCAN: bulk crystals",
    ),
}


def load(name: str, *, device: str, models_dir: Path | None) -> TorchMember:
    """The member `name` on `device`; its checkpoint comes in the wheel."""
    checkpoint = _CHECKPOINTS[name]
    checksum = verified(Path(chgnet.__file__).parent / "pretrained" / checkpoint.file, expected=checkpoint.sha256)
    with redirect_stdout(io.StringIO()):  # it prints its number of parameters
        model = CHGNet.load(model_name=checkpoint.model_name, use_device=device, verbose=False)
    model.requires_grad_(False).eval()
    # An atom out of everyone's reach has an energy and no force. The default refuses such structures, which a
    # molecule that desorbs in pieces would end in.
    model.graph_converter.set_isolated_atom_response("ignore")
    card = Card(
        name=name,
        family="CHGNet",
        version=f"{checkpoint.model_name} (chgnet {chgnet.__version__})",
        sha256=checksum,
        energy_kind=EnergyKind.TOTAL,
        elements=_ELEMENTS,
        cutoff=float(model.graph_converter.atom_graph_cutoff),
        trained_on=checkpoint.trained_on,
        license="BSD-3-Clause-LBNL",
    )
    return TorchMember(card, _Forward(model, device), device=device)


@dataclass(frozen=True)
class _Forward:
    model: CHGNet
    device: str

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        graphs = [self._graph(structure) for structure in structures]
        # "ef" leaves out stress and magnetic moments, a third of the time.
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
