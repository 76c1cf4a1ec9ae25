"""From a checkpoint file to fairchem's trainer, in the layouts of 2020 to 2023 and of today.

What `OCPCalculator` does, less what a service can't have: it reseeds python, numpy and torch, sets up logging, and unpickles the
file. Here nothing but tensors and the plain types below is read from it.
"""

from __future__ import annotations

import copy
import pathlib
from collections import OrderedDict, defaultdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from shared.errors import MachineryFailure
from worker.potentials.oc20.fairchem import quiet, registry, update_config
from worker.potentials.oc20.generators import undisturbed

NETWORKS = {
    "equiformer_v2": {"equiformer_v2", "equiformer_v2_backbone"},
    "gemnet_oc": {"gemnet_oc", "gemnet_oc_backbone"},
    "escn": {"escn", "escn_backbone"},
}
"""The names under which fairchem registers each family's networks."""

# Numbers and paths that trainers of the time wrote beside the weights. None of them runs code of the file's choosing.
_PLAIN: list[Any] = [
    np.core.multiarray.scalar,  # type: ignore[attr-defined]
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.bool_)),
    pathlib.PosixPath,
    OrderedDict,
    defaultdict,
    dict,
]

# What torch raises on bytes that are no archive of its own, by where it stumbles.
_UNREADABLE = (
    UnpicklingError,
    EOFError,
    KeyError,
    IndexError,
    ValueError,
    RuntimeError,
    AssertionError,
    AttributeError,
)


def read(file: Path) -> dict[str, Any]:
    """The checkpoint's contents. The file's SHA-256 must have been checked. Raises MachineryFailure for one that holds more than
    weights and settings, or is no checkpoint of fairchem."""
    with torch.serialization.safe_globals(_PLAIN):
        try:
            contents = torch.load(file, map_location="cpu", weights_only=True)
        except _UNREADABLE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise MachineryFailure(f"{file} is not read: {reason}") from error
    if not isinstance(contents, dict) or not {"config", "state_dict"} <= contents.keys():
        raise MachineryFailure(f"{file} holds no configuration and state_dict: it is not a checkpoint of fairchem")
    return contents


def trainer(file: Path, family: str, device: str) -> Any:
    """fairchem's trainer with the file's network on `device` ("cpu" or "cuda"), for inference in the weights' own precision. Raises
    MachineryFailure where the file holds another family's network."""
    contents = read(file)
    config = _today(contents["config"])
    network = config["model"].get("backbone", {}).get("model", config["model"]["name"])
    if network not in NETWORKS[family]:
        raise MachineryFailure(f"{file} holds the network {network}, and is registered as {family}")
    with undisturbed(), quiet():
        made = registry.get_trainer_class(config.get("trainer", "ocp"))(
            task=config.get("task", {}),
            model=config["model"],
            dataset=[config["dataset"]],
            outputs=config["outputs"],
            loss_functions=config["loss_functions"],
            evaluation_metrics=config["evaluation_metrics"],
            optimizer=config["optim"],
            identifier="",
            local_rank=0,
            is_debug=True,  # it makes no folders and no logger
            cpu=device == "cpu",
            amp=False,  # trained with mixed precision or not: energies are wanted in the weights' own
            inference_only=True,
        )
        made.load_checkpoint(str(file), contents, inference_only=True)
    made.scaler = None
    made.model.requires_grad_(False).eval()
    return made


def _today(written: dict[str, Any]) -> dict[str, Any]:
    """The configuration as fairchem 1.3 wants it; written: as the checkpoint has it."""
    config: dict[str, Any] = copy.deepcopy(written)
    if "model_attributes" in config:  # before 2024 the network's name stood alone
        config["model"] = {"name": config.pop("model"), **config.pop("model_attributes")}
    config["model"]["otf_graph"] = True
    # a path of the machine that trained it; the factors themselves are among the weights
    config["model"].pop("scale_file", None)
    dataset = config.get("dataset") or {}
    if isinstance(dataset, list):
        dataset = dataset[0]
    config["dataset"] = dataset
    with quiet():
        config = update_config(config)
    config["dataset"].pop("src", None)
    return config
