"""The model packages' own ASE calculators: what a member is compared with."""

from __future__ import annotations

import io
import logging
import warnings
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

from worker.potentials.entry import RegistryEntry
from worker.potentials.identity import location


def own_calculator(entry: RegistryEntry, device: str) -> Any:
    """The calculator that the member's package offers for the same checkpoint, on the same device."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return _CALCULATORS[entry.family](entry, device)


def _emt(entry: RegistryEntry, device: str) -> Any:
    return import_module("ase.calculators.emt").EMT()


def _chgnet(entry: RegistryEntry, device: str) -> Any:
    import_module("worker.potentials.chgnet_package")  # it gives the package the library that it looks for
    model = import_module("chgnet.model.model").CHGNet.load(
        model_name=entry.name.removeprefix("chgnet-"), verbose=False
    )
    return import_module("chgnet.model.dynamics").CHGNetCalculator(model, use_device=device)


def _sevennet(entry: RegistryEntry, device: str) -> Any:
    calculator = import_module("sevenn.calculator").SevenNetCalculator
    return calculator(str(location(entry)), device=device, modal=entry.options.get("head"))


def _oc20(entry: RegistryEntry, device: str) -> Any:
    import_module("worker.potentials.oc20.fairchem")  # it needs the stand-in as well
    logging.disable(logging.WARNING)
    try:
        calculator = import_module("fairchem.core.common.relaxation.ase_utils").OCPCalculator
        made = calculator(checkpoint_path=location(entry), cpu=device == "cpu", seed=0)
    finally:
        logging.disable(logging.NOTSET)
    return made


_CALCULATORS = {
    "emt": _emt,
    "chgnet": _chgnet,
    "sevennet": _sevennet,
    "equiformer_v2": _oc20,
    "gemnet_oc": _oc20,
    "escn": _oc20,
}
