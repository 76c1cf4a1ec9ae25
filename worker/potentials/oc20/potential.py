"""EquiformerV2, GemNet-OC and eSCN: networks of the OC20 data set, from a checkpoint file.

Trained on OC20 their energy is the adsorption energy itself, relative to the relaxed clean slab and CO, H2, H2O, N2, and nothing is
subtracted. Forces are predicted directly, they are no gradient.

L. Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525 (OC20);
Y.-L. Liao et al., ICLR 2024, arXiv:2306.12059 (EquiformerV2); J. Gasteiger et al., TMLR 2022, arXiv:2204.02782 (GemNet-OC);
S. Passaro & C. L. Zitnick, ICML 2023, arXiv:2302.03655 (eSCN).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from services.forces.potential import Card, Evaluation
from shared.structures import Integers, Structure
from worker.potentials.elements import OC20
from worker.potentials.entry import RegistryEntry
from worker.potentials.families import FAMILIES
from worker.potentials.forwards import TorchPotential, hosted
from worker.potentials.identity import agreed, checkpoint
from worker.potentials.inputs import wrapped
from worker.potentials.oc20 import networks
from worker.potentials.oc20.checkpoint import trainer
from worker.potentials.oc20.fairchem import Data, data_list_collater, quiet
from worker.potentials.oc20.networks import Host, Unconnected


def load(entry: RegistryEntry, *, device: str) -> TorchPotential:
    """The entry's network on `device` ("cpu" or "cuda"). Raises MachineryFailure for a file that isn't the registered one, or is no
    checkpoint of the entry's family."""
    made = trainer(checkpoint(entry), entry.family, device)
    networks.make_deterministic(made.model)
    backbone = getattr(made.model, "backbone", made.model)
    parameters = sum(weight.numel() for weight in made.model.parameters())
    known = frozenset(range(1, 1 + networks.n_elements(backbone)))
    card = Card(
        name=entry.name,
        family=FAMILIES[entry.family].title,
        version=f"{parameters / 1e6:.3g} M parameters (fairchem-core {version('fairchem-core')})",
        sha256=entry.sha256,
        energy_kind=entry.energy_kind,
        elements=agreed(entry, known) if entry.elements else OC20,
        cutoff=float(backbone.cutoff),
        trained_on=entry.trained_on,
        license=entry.license,
    )
    return hosted(card, _Forward(made), made.model, device=device, tf32=entry.tf32)


@dataclass(frozen=True)
class _Forward:
    trainer: Any

    def __call__(self, structures: Sequence[Structure]) -> list[Evaluation]:
        try:
            return self._together(structures)
        except Unconnected as lonely:
            # no edge, no answer: not a number, which the search calls diverged
            found = iter(self([one for index, one in enumerate(structures) if index not in lonely.indices]))
            return [
                Evaluation(np.nan, np.full((len(one), 3), np.nan)) if index in lonely.indices else next(found)
                for index, one in enumerate(structures)
            ]

    def _together(self, structures: Sequence[Structure]) -> list[Evaluation]:
        if not structures:
            return []
        batch = self.prepare(structures)
        with quiet():
            predicted = self.trainer.predict(batch, per_image=False, disable_tqdm=True)
        answers = (
            torch.cat((predicted["energy"].double().view(-1), predicted["forces"].double().view(-1))).cpu().numpy()
        )
        energies, forces = answers[: len(structures)], answers[len(structures) :].reshape(-1, 3)  # in one transfer
        ends = np.cumsum([len(structure) for structure in structures])
        return [
            Evaluation(energy=float(energy), forces=own)
            for energy, own in zip(energies, np.split(forces, ends[:-1]), strict=True)
        ]

    def prepare(self, structures: Sequence[Structure]) -> Any:
        """What the host does before the device can begin: neighbours are found there."""
        data = [_data(structure) for structure in structures]
        batch = data_list_collater(data, otf_graph=True)
        batch.host = Host(
            [len(structure) for structure in structures],
            np.stack([one.exact_cell[0].numpy() for one in data]),
            np.stack([structure.pbc for structure in structures]),
        )
        return batch


def _data(structure: Structure) -> Data:
    """What fairchem's AtomsToGraphs makes of it, and beside it what its float32 loses."""
    atoms = wrapped(structure)
    cell = torch.from_numpy(atoms.cell.complete().array)[None]
    positions = torch.from_numpy(atoms.positions)
    return Data(
        pos=positions.float(),
        cell=cell.float(),
        atomic_numbers=torch.tensor(structure.numbers, dtype=torch.float32),
        natoms=len(structure),
        tags=torch.tensor(_tags(structure)),
        fixed=torch.tensor(structure.fixed, dtype=torch.int32),
        exact_positions=positions,
        exact_cell=cell,
        periodic=torch.tensor(structure.pbc)[None],
    )


def _tags(structure: Structure) -> Integers:
    """OC20 tags. A molecule on its own is adsorbate: GemNet-OC looks at quadruplets around tagged atoms, and fails without any."""
    tags = structure.tags
    return tags if tags.any() else np.full_like(tags, 2)
