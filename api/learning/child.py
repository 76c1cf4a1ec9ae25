"""What a learning process answers (a `shared.children.child.Answering`): pairs of spread and error in, the limit and its figures
out. Thousands of redrawn sets are arithmetic of seconds, and not for the process that answers everybody."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from services.evaluation.calibration import FEWEST, Target, calibrate


def warm_up() -> None:
    """Learn from a few."""
    spreads = np.linspace(0.1, 1.0, FEWEST)
    calibrate(spreads, spreads, np.arange(FEWEST))


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Request: spreads, errors (eV), systems (which one each is of), share and error (of the target). Answered with the fields of
    services.evaluation.calibration.Calibration. Raises InvalidInput for too few."""
    learned = calibrate(
        np.array(request["spreads"], dtype=np.float64),
        np.array(request["errors"], dtype=np.float64),
        np.array(request["systems"], dtype=np.int64),
        Target(request["share"], request["error"]),
    )
    found: dict[str, Any] = _plain(asdict(learned))
    return found


def _plain(value: Any) -> Any:
    """JSON has no NaN: null stands for it."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and value != value else value
