"""OC20-Dense's published labels, as AdsorbML and the Open Catalyst Challenge 2023 use them.

`oc20dense_val_targets.pkl`: {system: [(configuration, E_ads by DFT)]}; `ml_relaxed_dft_targets.pkl`: {model: {system:
{configuration: E_ads by a DFT single point}}}, 1e10 where there is none. eV.
Lan et al., npj Comput. Mater. 9, 172 (2023), doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from services.evaluation.challenge import there
from services.evaluation.labelled import Labelled
from shared.errors import InvalidInput

TARGETS = "oc20dense_val_targets.pkl"
RELAXED = "ml_relaxed_dft_targets.pkl"
_PLAIN = {
    ("collections", "defaultdict"),
    ("collections", "OrderedDict"),
    ("builtins", "dict"),
    ("builtins", "list"),
}


class _Restricted(pickle.Unpickler):
    """Numbers, texts, lists and dictionaries; a file that names anything else is refused before it can run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _PLAIN:
            raise InvalidInput(f"the file wants to load {module}.{name}, which is no plain list or dictionary")
        return super().find_class(module, name)


def unpickle(path: Path) -> Any:
    """The content of a pickle of plain data. Raises InvalidInput for anything else, and for what can't be read."""
    try:
        with path.open("rb") as packed:
            return _Restricted(packed).load()
    except InvalidInput as refusal:
        raise InvalidInput(f"{path}: {refusal}") from None
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - bytes that are no pickle, or half of one, fail in every way there is
        raise InvalidInput(f"{path} is no pickle of plain data: {error or type(error).__name__}") from None


def load(folder: Path, predictions: Mapping[str, Mapping[str, float]] | None = None) -> list[Labelled]:
    """One labelled set for each model of the folder: its relaxed structures with their DFT energies.

    predictions: your own ML energies by system and configuration, eV. Without them there are no ML energies, and what can be told is
    the search: whether one of the structures reaches DFT's lowest.
    """
    targets = _targets(unpickle(folder / TARGETS))
    models = unpickle(folder / RELAXED)
    if not isinstance(models, dict) or not all(isinstance(one, dict) for one in models.values()):
        raise InvalidInput(f"{folder / RELAXED}: expected a dictionary of models")
    try:
        return [_labelled(str(model), systems, targets, predictions) for model, systems in models.items()]
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"{folder / RELAXED}: expected {{model: {{system: {{configuration: energy in eV}}}}}} ({error})"
        ) from None


def _targets(content: Any) -> dict[str, float]:
    """The lowest DFT energy of each system, eV; NaN where all are missing."""
    if not isinstance(content, dict):
        raise InvalidInput(f"{TARGETS}: expected a dictionary of systems")
    found = {}
    for system, entries in content.items():
        try:
            energies = [float(energy) for _, energy in entries if there(float(energy))]
        except (TypeError, ValueError):
            raise InvalidInput(f"{TARGETS}: {system}: expected pairs of a configuration and its energy in eV") from None
        found[str(system)] = min(energies) if energies else math.nan
    return found


def _labelled(
    model: str,
    systems: Mapping[str, Mapping[str, float]],
    targets: dict[str, float],
    predictions: Mapping[str, Mapping[str, float]] | None,
) -> Labelled:
    rows = [
        (system, str(candidate), float(energy))
        for system in targets
        for candidate, energy in systems.get(system, {}).items()
    ]
    reference = np.array([energy if there(energy) else np.nan for _, _, energy in rows])
    energies = np.zeros((len(rows), 0))
    if predictions is not None:
        energies = np.array([[predictions.get(row[0], {}).get(row[1], np.nan)] for row in rows]).reshape(-1, 1)
    return Labelled(
        name=f"OC20-Dense validation, structures relaxed by {model}",
        reference_name="DFT (RPBE, OC20 references), single points of these structures",
        systems=[row[0] for row in rows],
        candidates=[row[1] for row in rows],
        members=("predictions",) if predictions is not None else (),
        energies=energies,
        reference=reference,
        lowest=targets,
    )
