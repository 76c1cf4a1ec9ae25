"""SevenNet-0 (11 July 2024), from the checkpoint in the wheel of sevenn.

Y. Park et al., J. Chem. Theory Comput. 20, 4857 (2024), doi:10.1021/acs.jctc.4c00190. An E(3)-equivariant network of
the NequIP family, trained on the same MPtrj set as CHGNet.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.potential import Card, EnergyKind, Evaluation
from shared.structures import Structure
from worker.potentials.forwards import TorchMember
from worker.potentials.identity import verified
from worker.potentials.inputs import wrapped

with warnings.catch_warnings():
    # e3nn scripts its generated code; torch deprecates torch.jit.script since 2.13.
    warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=DeprecationWarning)
    import sevenn
    from sevenn import _keys as keys
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.train.dataload import unlabeled_atoms_to_graph
    from sevenn.util import load_checkpoint
    from torch_geometric.data import Batch

_FILE = "pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth"
_SHA256 = "7052cb42b7b3be42b40b97fa0d21077a48c54b5548948fc4dcf346629f813c36"


def load(name: str, *, device: str, models_dir: Path | None) -> TorchMember:
    """SevenNet-0 on `device`; its checkpoint comes in the wheel."""
    file = Path(sevenn.__file__).parent / _FILE
    checksum = verified(file, expected=_SHA256)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=DeprecationWarning)
        # The accelerated tensor products need packages that aren't part of this environment.
        model: Any = load_checkpoint(file).build_model(enable_cueq=False, enable_flash=False, enable_oeq=False)
    model.set_is_batch_data(True)
    model.requires_grad_(False)
    model.to(device).eval()
    card = Card(
        name=name,
        family="SevenNet",
        version=f"0, 11 July 2024 (sevenn {version('sevenn')})",
        sha256=checksum,
        energy_kind=EnergyKind.TOTAL,
        elements=frozenset(int(number) for number in model.type_map),
        cutoff=float(model.cutoff),
        trained_on="MPtrj: relaxations of bulk crystals, PBE and PBE+U",
        license="MIT",
    )
    return TorchMember(card, _Forward(model, torch.device(device)), device=device)


@dataclass(frozen=True)
class _Forward:
    model: Any
    device: torch.device

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        graphs = [
            AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(wrapped(structure), self.model.cutoff))
            for structure in structures
        ]
        output = self.model(Batch.from_data_list(graphs).to(self.device))
        energies = output[keys.PRED_TOTAL_ENERGY].detach().cpu().numpy().astype(np.float64)
        forces = output[keys.PRED_FORCE].detach().cpu().numpy().astype(np.float64)
        ends = np.cumsum([len(structure) for structure in structures])
        return [
            Evaluation(energy=float(energy), forces=own)
            for energy, own in zip(energies, np.split(forces, ends[:-1]), strict=True)
        ]
