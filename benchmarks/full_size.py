"""OC20's networks at their published size, with random weights: CO on an 80-atom slab, through the loading path of the worker.

Each network has a process of its own, so that its memory is its own. Hyper-parameters are those of fairchem's configs/oc20/s2ef.
Weights cost the same whatever they are; energies mean nothing here.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import torch

from benchmarks import report
from benchmarks.timed import slab_with_co
from services.forces.potential import EnergyKind
from worker.potentials import registry
from worker.potentials.entry import RegistryEntry
from worker.potentials.identity import sha256
from worker.potentials.oc20 import fairchem

_EQUIFORMER: dict[str, Any] = {
    "name": "equiformer_v2",
    "use_pbc": True,
    "regress_forces": True,
    "max_neighbors": 20,
    "max_radius": 12.0,
    "max_num_elements": 90,
    "sphere_channels": 128,
    "attn_hidden_channels": 64,
    "num_heads": 8,
    "attn_alpha_channels": 64,
    "attn_value_channels": 16,
    "ffn_hidden_channels": 128,
    "norm_type": "layer_norm_sh",
    "mmax_list": [2],
    "grid_resolution": 18,
    "num_sphere_samples": 128,
    "edge_channels": 128,
    "use_atom_edge_embedding": True,
    "distance_function": "gaussian",
    "num_distance_basis": 512,
    "attn_activation": "silu",
    "use_s2_act_attn": False,
    "ffn_activation": "silu",
    "use_gate_act": False,
    "use_grid_mlp": True,
    "alpha_drop": 0.1,
    "proj_drop": 0.0,
    "weight_init": "uniform",
}
_GEMNET: dict[str, Any] = {
    "name": "gemnet_oc",
    "num_spherical": 7,
    "num_radial": 128,
    "num_blocks": 4,
    "emb_size_atom": 256,
    "emb_size_edge": 512,
    "emb_size_trip_in": 64,
    "emb_size_trip_out": 64,
    "emb_size_quad_in": 32,
    "emb_size_quad_out": 32,
    "emb_size_aint_in": 64,
    "emb_size_aint_out": 64,
    "emb_size_rbf": 16,
    "emb_size_cbf": 16,
    "emb_size_sbf": 32,
    "num_before_skip": 2,
    "num_after_skip": 2,
    "num_concat": 1,
    "num_atom": 3,
    "num_output_afteratom": 3,
    "cutoff": 12.0,
    "cutoff_qint": 12.0,
    "cutoff_aeaint": 12.0,
    "cutoff_aint": 12.0,
    "max_neighbors": 30,
    "max_neighbors_qint": 8,
    "max_neighbors_aeaint": 20,
    "max_neighbors_aint": 1000,
    "rbf": {"name": "gaussian"},
    "envelope": {"name": "polynomial", "exponent": 5},
    "cbf": {"name": "spherical_harmonics"},
    "sbf": {"name": "legendre_outer"},
    "extensive": True,
    "output_init": "HeOrthogonal",
    "activation": "silu",
    "regress_forces": True,
    "direct_forces": True,
    "forces_coupled": False,
    "quad_interaction": True,
    "atom_edge_interaction": True,
    "edge_atom_interaction": True,
    "atom_interaction": True,
    "num_atom_emb_layers": 2,
    "num_global_out_layers": 2,
    "qint_tags": [1, 2],
}
_ESCN: dict[str, Any] = {
    "name": "escn",
    "num_layers": 12,
    "max_neighbors": 20,
    "cutoff": 12.0,
    "sphere_channels": 128,
    "hidden_channels": 256,
    "lmax_list": [6],
    "mmax_list": [2],
    "num_sphere_samples": 128,
    "distance_function": "gaussian",
    "regress_forces": True,
    "use_pbc": True,
    "basis_width_scalar": 2.0,
}
PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "EquiformerV2-31M": ("equiformer_v2", {**_EQUIFORMER, "num_layers": 8, "lmax_list": [4], "drop_path_rate": 0.1}),
    "EquiformerV2-83M": ("equiformer_v2", {**_EQUIFORMER, "num_layers": 12, "lmax_list": [6], "drop_path_rate": 0.05}),
    "GemNet-OC": ("gemnet_oc", _GEMNET),
    "eSCN-L6-M2-Lay12": ("escn", _ESCN),
}


def write_random(network: dict[str, Any], file: Path) -> None:
    """A checkpoint of fairchem's trainer with the weights that the network starts from."""
    torch.manual_seed(0)
    with fairchem.quiet():
        trainer = fairchem.registry.get_trainer_class("ocp")(
            task={},
            model={**network, "otf_graph": True},
            dataset=[{"src": "none"}],
            outputs={"energy": {"level": "system"}, "forces": {"level": "atom"}},
            loss_functions=[
                {"energy": {"fn": "mae", "coefficient": 4}},
                {"forces": {"fn": "l2mae", "coefficient": 100}},
            ],
            evaluation_metrics={},
            optimizer={},
            identifier="",
            local_rank=0,
            is_debug=True,
            cpu=True,
            inference_only=True,
        )
    for module in trainer.model.modules():
        if type(module).__name__ == "ScaleFactor":
            module.set_(1.0)
    normalizers = {
        "energy": {"mean": torch.tensor(-0.7554450631141663), "rmsd": torch.tensor(2.887317180633545)},
        "forces": {"mean": torch.tensor(0.0), "rmsd": torch.tensor(2.887317180633545)},
    }
    weights = trainer.model.state_dict()
    torch.save({"state_dict": weights, "normalizers": normalizers, "config": trainer.config, "amp": None}, file)


def peak_mib() -> float:
    """Most memory that this process ever held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, file: Path, device: str, repeats: int) -> dict[str, Any]:
    """Load the checkpoint as a worker does and evaluate one structure `repeats` times."""
    family, _ = PUBLISHED[name]
    began, before = time.perf_counter(), peak_mib()
    entry = RegistryEntry(name, family, file, sha256(file), EnergyKind.ADSORPTION)
    potential = registry.load(entry, device=device)
    load_s, loaded_mib = time.perf_counter() - began, peak_mib()
    structure, times = slab_with_co(), []
    for _ in range(repeats):
        began = time.perf_counter()
        answer = potential.evaluate([structure])[0]
        times.append(time.perf_counter() - began)
    return {
        "version": potential.card.version,
        "file_mb": round(file.stat().st_size / 1e6, 1),
        "load_s": round(load_s, 1),
        "first_s": round(times[0], 2),
        "best_s": round(min(times), 2),
        "peak_mib": round(peak_mib()),
        "imports_mib": round(before),
        "loaded_mib": round(loaded_mib),
        "gpu_peak_mib": round(torch.cuda.max_memory_allocated() / 2**20) if device == "cuda" else None,
        "atoms": len(structure),
        "energy": answer.energy,
    }


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="GemNet-OC alone, once")
    parser.add_argument("--file", type=Path, help="measure this checkpoint of the network named by --network")
    parser.add_argument("--network", choices=list(PUBLISHED))
    asked = parser.parse_args()
    if asked.file is not None:
        sys.stdout.write(json.dumps(measure(asked.network, asked.file, asked.device, asked.repeats)) + "\n")
        return
    names = ["GemNet-OC"] if asked.quick else [asked.network] if asked.network else list(PUBLISHED)
    results = {name: _in_a_process(name, asked.device, 1 if asked.quick else asked.repeats) for name in names}
    report.show(
        f"published size, random weights, CO on an 80-atom slab, {asked.device}",
        ["", "file MB", "load s", "first call s", "best call s", "peak MiB"],
        [
            [f"{name}, {one['version']}", one["file_mb"], one["load_s"], one["first_s"], one["best_s"], one["peak_mib"]]
            for name, one in results.items()
        ],
    )
    report.finish(results)


def _in_a_process(name: str, device: str, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.pt"
        write_random(PUBLISHED[name][1], file)
        words = ["--file", str(file), "--network", name, "--device", device, "--repeats", str(repeats)]
        return report.in_a_process("full_size", name, words)


if __name__ == "__main__":
    main()
