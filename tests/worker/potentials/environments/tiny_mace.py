"""`.venv-mace/bin/python tiny_mace.py FILE [SCALE]`: a MACE of random weights, on H, C, O and four metals. SCALE: how strong its
interaction is; a weak one is at rest wherever its atoms are.
"""

import sys

import numpy as np
import torch

with torch.serialization.safe_globals([slice]):  # e3nn 0.4 pickles one among its constants
    from e3nn import o3
    from mace import modules

NUMBERS = [1, 6, 8, 28, 29, 46, 78]


def main(file: str, scale: float = 0.5) -> None:
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    model = modules.ScaleShiftMACE(
        r_max=4.5,
        num_bessel=6,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=len(NUMBERS),
        hidden_irreps=o3.Irreps("8x0e + 8x1o"),
        MLP_irreps=o3.Irreps("8x0e"),
        gate=torch.nn.functional.silu,
        atomic_energies=-np.arange(1.0, len(NUMBERS) + 1.0),
        avg_num_neighbors=15.0,
        atomic_numbers=NUMBERS,
        correlation=2,
        radial_type="bessel",
        atomic_inter_scale=scale,
        atomic_inter_shift=0.0,
    )
    torch.save(model, file)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
