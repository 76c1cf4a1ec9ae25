"""The same anomalies as the community's detector (benchmarks/detector.py), on structures shaken, torn, sunk, lifted and wrapped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111, fcc211
from scipy.spatial.transform import Rotation

from benchmarks import detector
from services.geometry.anomalies import baseline, find
from services.systems.placement import place
from services.systems.surfaces import marked
from shared.adsorbates import lookup
from shared.parameters import Placement
from shared.structures import Floats, Structure

EACH = 100
"""Distortions of each of the ten systems."""


def _slab(name: str) -> Structure:
    metal, face = name.split()[:2]
    faces: dict[str, tuple[Callable[..., Atoms], tuple[int, int, int]]] = {
        "111": (fcc111, (2, 2, 3)),
        "1x1": (fcc111, (1, 1, 4)),
        "100": (fcc100, (2, 2, 3)),
        "211": (fcc211, (3, 1, 3)),
    }
    builder, size = faces[face]
    atoms = builder(metal, size, vacuum=6.0)
    atoms.set_tags(0)
    atoms.pbc = [True, True, "open" not in name]
    if "alloy" in name:
        atoms.numbers[::2] = 28
    if "covered" in name:
        add_adsorbate(atoms, "O", 1.2, tuple(atoms.positions[-1, :2] + [1.4, 0.8]))
        atoms.set_tags(0)
    if "leaning" in name:
        atoms.cell[2] += 0.7 * atoms.cell[0] - 0.3 * atoms.cell[1]
    if "down" in name:
        atoms.positions[:, 2] = atoms.cell[2, 2] - atoms.positions[:, 2]
    return marked(atoms)


SYSTEMS = {
    "Pt 111": "*CO",
    "Cu 111 leaning": "*OHCH3",
    "Pt 111 covered": "*CO",
    "Cu 111 covered open": "*OH2",
    "Pt 1x1": "*OH",
    "Ni 100 open": "*CHO",
    "Pd 100 alloy": "*NO2",
    "Pt 211": "*H",
    "Au 211 leaning open": "*CHCH2",
    "Ag 100": "*CH3",
}


def _distorted(start: Structure, rng: np.random.Generator) -> Structure:
    """Its atoms shaken, one of them thrown, the molecule turned and moved up or down; atoms wrapped, all of it moved."""
    positions = start.positions + rng.normal(scale=rng.choice([0.02, 0.1, 0.3]), size=start.positions.shape)
    where = rng.choice(["stays", "sinks", "rises", "anywhere"])
    ways = {"stays": (-0.3, 0.5), "sinks": (-6.0, -0.5), "rises": (0.5, 4.0), "anywhere": (-12.0, 14.0)}
    mine = start.adsorbate
    turned = Rotation.random(rng=rng).apply(positions[mine] - positions[mine].mean(axis=0))
    aside = rng.normal(scale=0.8, size=3)
    positions[mine] = turned + positions[mine].mean(axis=0) + rng.uniform(*ways[where]) * start.normal + aside
    if rng.random() < 0.4:
        thrown = rng.integers(len(start))
        positions[thrown] += rng.normal(size=3)
    if rng.random() < 0.3:
        wraps = rng.integers(-1, 2, (len(start), 3)) * start.pbc
        positions += wraps @ start.cell
    if rng.random() < 0.2:
        positions += rng.normal(scale=3.0, size=3)
    return start.moved(positions)


def _clean(start: Structure, rng: np.random.Generator) -> Structure:
    slab = start.only(start.slab)
    return slab.moved(slab.positions + rng.normal(scale=0.05, size=slab.positions.shape) * slab.free[:, None])


@pytest.mark.parametrize("name", SYSTEMS)
def test_random_distortions(name: str) -> None:
    rng = np.random.default_rng([1, *name.encode()])
    slab = _slab(name)
    starts = [one.structure for one in place(slab, lookup(SYSTEMS[name]), Placement(count=5), rng)]
    seen: Counter[str] = Counter()
    for index in range(EACH):
        start, clean = starts[index % 5], _clean(starts[0], rng)
        relaxed = _distorted(start, rng)
        expected = detector.find(start, relaxed, clean)
        assert find(start, relaxed, clean) == expected, (index, expected)
        seen.update(expected or ("sound",))
    assert seen["reconstructed"]
    assert seen["desorbed"]
    assert len(seen) >= 3


@pytest.mark.parametrize("off", [-1e-9, 1e-9])
@pytest.mark.parametrize("factor", [1.0, 1.5])
@pytest.mark.parametrize("what", ["molecule", "contact", "slab"])
def test_both_sides_of_every_limit(what: str, factor: float, off: float) -> None:
    """Three atoms in a row, one distance of which is a limit to within a billionth of an Å."""
    limits = {(78, 78): 2.72, (78, 6): 2.12, (6, 8): 1.42}
    heights = {"slab": 2.4, "contact": 1.9, "molecule": 1.2}
    pairs = {"slab": (78, 78), "contact": (78, 6), "molecule": (6, 8)}

    def column(slab: float, contact: float, molecule: float) -> Structure:
        z = np.cumsum([5.0, slab, contact, molecule])
        atoms = Atoms([78, 78, 6, 8], [[0, 0, height] for height in z], cell=[9, 9, 40], pbc=True)
        return Structure.from_atoms(atoms, adsorbate=[0, 0, 1, 1], surface=[0, 1, 0, 0])

    at = factor * limits[pairs[what]] + 0.6 + off
    near, far = column(**heights), column(**{**heights, what: at})
    for start, relaxed in ((near, far), (far, near), (far, far)):
        for clean in (near, far):
            clean_slab = clean.only(clean.slab)
            assert find(start, relaxed, clean_slab) == detector.find(start, relaxed, clean_slab)


def test_what_was_kept_of_a_clean_slab_is_told_by_its_content() -> None:
    rng = np.random.default_rng(0)
    slab = _slab("Pt 111")
    start = place(slab, lookup("*CO"), Placement(count=1), rng)[0].structure
    lifted = start.positions + 3.0 * np.outer(np.arange(len(start)) == int(np.argmax(slab.heights)), start.normal)
    rebuilt = start.moved(lifted)
    for clean in (slab, rebuilt.only(rebuilt.slab), slab):
        assert ("reconstructed" in find(start, rebuilt, clean)) == (clean is slab)
        assert ("reconstructed" in find(start, start, clean)) == (clean is not slab)


def test_one_baseline_judges_many_candidates() -> None:
    rng = np.random.default_rng(5)
    start = place(_slab("Cu 111 leaning"), lookup("*CO"), Placement(count=1), rng)[0].structure
    clean = _clean(start, rng)
    kept = baseline(start, clean)
    for _ in range(30):
        relaxed = _distorted(start, rng)
        assert kept.find(relaxed) == find(start, relaxed, clean)


@pytest.mark.parametrize("stretch", [0.9, 1.0, 1.4, 2.0])
def test_a_clean_slab_in_another_cell(stretch: float) -> None:
    """Its contacts are those in its own cell, an atom's with its own image too."""
    rng = np.random.default_rng(7)
    start = place(_slab("Pt 1x1"), lookup("*H"), Placement(count=1), rng)[0].structure
    slab = start.only(start.slab)
    wider = replace(slab, cell=slab.cell * [[stretch], [1.0], [1.0]])
    for _ in range(5):
        relaxed = start.moved(start.positions + rng.normal(scale=0.1, size=start.positions.shape))
        assert find(start, relaxed, wider) == detector.find(start, relaxed, wider)


def test_no_molecule_at_all() -> None:
    slab = _slab("Pt 111")
    moved: Floats = slab.positions + np.random.default_rng(0).normal(scale=0.02, size=slab.positions.shape)
    assert find(slab, slab.moved(moved), slab) == detector.find(slab, slab.moved(moved), slab) == ("desorbed",)
