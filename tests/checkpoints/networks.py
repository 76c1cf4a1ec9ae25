"""How long and how fast the small checkpoints are trained; the networks are those of benchmarks/challenge/networks.py."""

from __future__ import annotations

from benchmarks.challenge.training import Pace

TRAINING = {
    "equiformer_v2": Pace(epochs=4, lr=4e-3, energy_coefficient=10, force_coefficient=20),
    "gemnet_oc": Pace(epochs=5, lr=2e-3, energy_coefficient=5, force_coefficient=20),
    "escn": Pace(epochs=5, lr=4e-3, energy_coefficient=10, force_coefficient=40),
}
