"""`.venv-uma/bin/python tiny_uma.py FILE`: a UMA of random weights, with the tasks oc20 and omat."""

import sys

import torch
from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint
from fairchem.core.units.mlip_unit.utils import load_inference_model  # noqa: F401 - its import registers the models
from hydra.utils import instantiate
from omegaconf import OmegaConf

DATASETS = ["oc20", "omat"]

MODEL = {
    "_target_": "fairchem.core.models.base.HydraModel",
    "backbone": {
        "model": "fairchem.core.models.uma.escn_moe.eSCNMDMoeBackbone",
        "num_experts": 4,
        "moe_dropout": 0.0,
        "use_composition_embedding": True,
        "max_num_elements": 100,
        "sphere_channels": 16,
        "hidden_channels": 16,
        "edge_channels": 16,
        "lmax": 2,
        "mmax": 2,
        "num_layers": 2,
        "cutoff": 5.0,
        "max_neighbors": 300,
        "num_distance_basis": 16,
        "direct_forces": False,
        "regress_forces": True,
        "otf_graph": True,
        "dataset_list": DATASETS,
        "always_use_pbc": False,
    },
    "heads": {
        "energyandforcehead": {
            "module": "fairchem.core.models.uma.escn_moe.DatasetSpecificSingleHeadWrapper",
            "dataset_names": DATASETS,
            "head_cls": "fairchem.core.models.uma.escn_md.MLP_EFS_Head",
            "head_kwargs": {"wrap_property": False},
        }
    },
    "pass_through_head_outputs": True,
}


def task(dataset: str, quantity: str) -> dict:
    return {
        "_target_": "fairchem.core.units.mlip_unit.mlip_unit.Task",
        "name": f"{dataset}_{quantity}",
        "level": "system" if quantity == "energy" else "atom",
        "property": quantity,
        "loss_fn": {"_target_": "torch.nn.L1Loss"},
        "out_spec": {
            "_target_": "fairchem.core.units.mlip_unit.mlip_unit.OutputSpec",
            "dim": [1] if quantity == "energy" else [3],
            "dtype": "float32",
        },
        "normalizer": {
            "_target_": "fairchem.core.modules.normalization.normalizer.Normalizer",
            "mean": 0.0,
            "rmsd": 2.0,
        },
        "datasets": [dataset],
    }


def main(file: str) -> None:
    torch.manual_seed(1)
    config = OmegaConf.create(MODEL)
    model = instantiate(config)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.add_(torch.randn_like(weights) * 0.05)  # heads that start at zero would make every energy zero
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    tasks = [task(dataset, quantity) for dataset in DATASETS for quantity in ("energy", "forces")]
    checkpoint = MLIPInferenceCheckpoint(
        model_config=config,
        model_state_dict=state,
        ema_state_dict=state | {"n_averaged": torch.tensor(1)},
        tasks_config=OmegaConf.create(tasks),
    )
    torch.save(checkpoint, file)


if __name__ == "__main__":
    main(sys.argv[1])
