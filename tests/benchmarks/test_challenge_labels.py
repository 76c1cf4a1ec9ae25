"""Frames are thinned, brought to a scale of constants per atom, and kept system by system."""

import numpy as np
import pytest
from ase.data import covalent_radii

from benchmarks.challenge import labels, packed
from benchmarks.challenge.frames import LARGEST_FORCE, frame, thinned
from benchmarks.systems import Case, build, starts
from services.forces.potential import Evaluation
from shared.structures import Structure

CASES = [Case("Cu", "111", name, (2, 2, 3)) for name in ("*O", "*CO", "*OH", "*CH", "*H", "*CHO")]


def adslab(case=CASES[1]):
    return starts(build(case), 1, 0)[0]


def test_frames_that_hardly_differ_are_left_out():
    first = adslab()
    calm = Evaluation(-1.0, np.zeros((len(first), 3)))
    walk = [first.moved(first.positions + shift * first.adsorbate[:, None]) for shift in (0.0, 0.03, 0.07, 0.2)]
    kept = [structure for structure, _ in thinned([(one, calm) for one in walk], 0.1)]
    assert kept == [walk[0], walk[2], walk[3]]  # 0.07 along each axis is 0.12 Å


def test_the_wildest_frames_are_left_out():
    first = adslab()
    wild = Evaluation(-1.0, np.full((len(first), 3), LARGEST_FORCE + 1))
    assert not list(thinned([(first, wild)], 0.1))


def test_atoms_are_pressed_onto_others_as_far_as_they_may_be():
    start, chance = adslab(), np.random.default_rng(3)
    for pressed in (labels._pressed(start, chance) for _ in range(50)):
        assert np.array_equal(pressed.positions[start.slab], start.positions[start.slab])
        apart = pressed.to_atoms().get_all_distances(mic=True)
        np.fill_diagonal(apart, np.inf)
        bonds = apart / (covalent_radii[start.numbers][:, None] + covalent_radii[start.numbers])
        assert ((bonds[start.adsorbate] > 0.6) & (bonds[start.adsorbate] < 0.95)).any()


def labelled_frames():
    """One of each case at 0.5 eV above or below what its atoms count for: H 1, C 2, O 4 eV."""
    made = []
    for index, case in enumerate(CASES):
        one = adslab(case)
        numbers = one.numbers[one.adsorbate]
        worth = float((numbers == 1).sum() + 2 * (numbers == 6).sum() + 4 * (numbers == 8).sum())
        made += [frame(one, worth + sign * 0.05, np.zeros((len(one), 3)), str(index)) for sign in (-1, 1)]
    return made


def test_what_an_atom_counts_for_is_found():
    assert labels.constants_of(labelled_frames()) == pytest.approx([1.0, 2.0, 4.0], abs=1e-3)


def test_frames_are_brought_to_the_scale_and_far_ones_left_out():
    frames = labelled_frames()
    far = frame(adslab(), 6.0 + labels.WILDEST + 0.1, np.zeros((len(adslab()), 3)), "far")
    scaled = labels.on_scale([*frames, far], np.array([1.0, 2.0, 4.0]))
    assert [one.get_potential_energy() for one in scaled] == pytest.approx([-0.05, 0.05] * len(CASES))
    assert all(one.get_forces(apply_constraint=False).shape == (len(one), 3) for one in scaled)


def test_systems_are_labelled_once_and_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "labelled", lambda seed: CASES[:4])
    monkeypatch.setattr(labels, "HELD_OUT", 1)
    labels.make(tmp_path, "emt")
    files = sorted(tmp_path.glob("*.npz"))
    assert [file.name for file in files] == ["000.npz", "001.npz", "002.npz", "003.npz"]
    learned_from, held_out = labels.load(tmp_path)
    assert {one.info["system"] for one in held_out} == {str(CASES[3])}
    assert {one.info["system"] for one in learned_from} == set(map(str, CASES[:3]))
    clean = [one for one in learned_from if not (one.get_tags() == 2).any()]
    # the slab that they share, once: its relaxed one is the zero of all energies
    assert len(clean) == 2
    assert min(one.get_potential_energy() for one in clean) == pytest.approx(0.0, abs=1e-6)
    written = [file.stat().st_mtime_ns for file in files]
    labels.make(tmp_path, "emt")
    assert [file.stat().st_mtime_ns for file in files] == written
    counts = [len(packed.read(file, case)) for file, case in zip(files, CASES, strict=False)]
    assert max(counts) <= labels.WALKED + 3 * labels.RATTLED + labels.PRESSED + 2


def test_a_frame_is_packed_and_read_again_as_it_was(tmp_path):
    case, chance = CASES[5], np.random.default_rng(0)
    first, slab = adslab(case), build(case).slab
    labelled = []
    for one in (slab, first, first):
        moved = one.moved(one.positions + chance.normal(size=one.positions.shape) * one.free[:, None])
        labelled.append((moved, Evaluation(chance.normal(), chance.normal(size=one.positions.shape))))
    packed.write(tmp_path / "000.npz", case, labelled)
    frames = packed.read(tmp_path / "000.npz", case)
    for (structure, answer), atoms in zip(labelled, frames, strict=True):
        again = Structure.from_oc_atoms(atoms)
        assert np.array_equal(again.numbers, structure.numbers)
        for mask in ("adsorbate", "surface", "fixed"):
            assert np.array_equal(getattr(again, mask), getattr(structure, mask))
        assert again.positions == pytest.approx(structure.positions, abs=packed.PLACE / 1.9)
        assert atoms.get_potential_energy() == pytest.approx(answer.energy, abs=packed.ENERGY)
        forces = atoms.get_forces(apply_constraint=False)
        assert forces[structure.free] == pytest.approx(answer.forces[structure.free], abs=packed.FORCE / 1.9)
        assert not forces[~structure.free].any()


def test_labels_stop_at_the_frames_that_were_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "labelled", lambda seed: CASES[:4])
    monkeypatch.setattr(labels, "HELD_OUT", 1)
    labels.make(tmp_path, "emt", most=1)
    assert [file.name for file in tmp_path.glob("*.npz")] == ["003.npz"]  # what is held out comes first


def test_labels_of_two_teachers_are_not_mixed(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "labelled", lambda seed: [])
    monkeypatch.setattr(labels, "HELD_OUT", 0)
    labels.make(tmp_path, "emt")
    assert labels.teacher_of(tmp_path) == "emt"
    with pytest.raises(SystemExit, match="has labels by emt"):
        labels.make(tmp_path, "chgnet-0.3.0")
