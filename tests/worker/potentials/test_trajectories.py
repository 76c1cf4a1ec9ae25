"""Anomalies along real walks of every family, the community's detector beside ours at each frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ase.build import fcc111

from benchmarks import detector
from services.forces.engine import run
from services.forces.potential import Evaluation, Potential
from services.geometry import anomalies
from services.search import hopping
from services.systems.assembly import assemble
from services.systems.placement import place
from shared.adsorbates import lookup
from shared.errors import Failure
from shared.parameters import Hopping, JobParameters, Placement
from shared.structures import Structure
from shared.submissions import SlabSubmission
from worker.potentials import registry

ENTRIES = registry.read(Path(__file__).resolve().parents[2] / "checkpoints/members.toml")
PRETRAINED = ("chgnet-0.3.0", "sevennet-0", "eqv2-small", "gemnet-oc-small", "escn-small")
MOST = 60
"""Frames compared of one walk, at even distances."""


class _Recorder:
    """A potential that keeps what it was asked."""

    def __init__(self, potential: Potential) -> None:
        self._potential = potential
        self.card = potential.card
        self.frames: list[Structure] = []

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        self.frames += structures
        return self._potential.evaluate(structures)


def _frames(name: str, adsorbate: str) -> tuple[Structure, Structure, list[Structure]]:
    """A placement, its slab, and all that a hot walk without restraints went through: on most of them pieces fly about."""
    atoms = fcc111("Pt", (2, 2, 2), vacuum=6.0, periodic=True)
    atoms.set_tags(0)
    made = assemble(SlabSubmission(slab=Structure.from_oc_atoms(atoms).to_document(), adsorbate=lookup(adsorbate)))
    start = place(made.slab, made.adsorbate, Placement(count=1), np.random.default_rng(0))[0].structure
    settings = Hopping(hops=1, max_md_steps=40, max_relaxation_steps=10, temperature_k=10000, max_temperature_k=10000)
    recorder = _Recorder(registry.load(ENTRIES[name]))
    walker = hopping.begin(start, settings, (0, 0))
    for _ in range(2):
        try:
            walker = run(hopping.hop(walker, [], None, JobParameters(hopping=settings)), recorder).walker
        except Failure:  # it ran away: so much the better
            break
    return start, made.slab, recorder.frames


@pytest.mark.parametrize("name", ["emt", *(pytest.param(one, marks=pytest.mark.potentials) for one in PRETRAINED)])
def test_every_frame_is_judged_as_the_detector_does(name: str) -> None:
    start, slab, frames = _frames(name, "*CHO")
    chosen = frames[:: max(len(frames) // MOST, 1)]
    for frame in chosen:
        assert anomalies.find(start, frame, slab) == detector.find(start, frame, slab)
    assert len(chosen) >= 20
