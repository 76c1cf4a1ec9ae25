"""Labelled sets from files; hostile pickles; the published files where they are there."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.io import write

from evaluation import oc20dense, sources
from services.evaluation.challenge import success
from services.evaluation.tables import evaluate
from shared.errors import InvalidInput

ROOT = Path(__file__).resolve().parent.parent.parent
PUBLISHED = Path(os.environ.get("ADHOP_OC20DENSE", ROOT.parent / "shared" / "data" / "oc20dense"))
TABLE = """system,candidate,energy:a,energy:b,reference,method,anomalies,converged,lowest
x,1,-1.0,-1.1,-1.05,plain,,true,-1.2
x,2,-1.3,,-1.2,hopping,,true,-1.2
y,3,-0.5,-0.5,,plain,desorbed,true,
y,4,-0.7,-0.6,-0.6,plain,,false,
"""


def test_a_table_becomes_columns(tmp_path):
    (tmp_path / "a.csv").write_text(TABLE)
    found = sources.table(tmp_path / "a.csv", "DFT")
    assert (found.members, found.methods, found.reference_name) == (("a", "b"), ("plain", "hopping"), "DFT")
    assert found.sound.tolist() == [True, True, False, False]
    assert found.method.tolist() == [0, 1, 0, 0]
    np.testing.assert_array_equal(found.energies[1], [-1.3, np.nan])
    np.testing.assert_array_equal(found.reference, [-1.05, -1.2, np.nan, -0.6])
    assert found.lowest == {"x": -1.2}


def test_extxyz_says_the_same(tmp_path):
    frames = []
    for system, energies, reference in (("x", (-1.0, -1.1), -1.05), ("y", (-0.5, -0.5), -0.4)):
        atoms = molecule("CO")
        atoms.info = {"system": system, "adsorption_energy_a": energies[0], "adsorption_energy_b": energies[1]}
        atoms.info["reference"] = reference
        frames.append(atoms)
    write(tmp_path / "a.extxyz", frames, format="extxyz")
    found = sources.table(tmp_path / "a.extxyz")
    assert found.members == ("a", "b")
    np.testing.assert_allclose(found.energies, [[-1.0, -1.1], [-0.5, -0.5]])
    assert found.methods == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n", "lacks a column energy:MEMBER"),
        ("system,energy:a,reference\nx,one,1\n", "energy:a 'one' of x is no finite number"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, why):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InvalidInput, match=why):
        sources.table(tmp_path / "a.csv")


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


@pytest.mark.parametrize(
    "content", [pickle.dumps(Hostile()), pickle.dumps({"a": Path("x")}), b"cos\nsystem\n", b"", b"\x80"]
)
def test_only_plain_data_is_unpickled(tmp_path, content):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"a\.pkl"):
        oc20dense.unpickle(tmp_path / "a.pkl")


def small(folder: Path) -> Path:
    targets = {"s1": [("c1", -1.0), ("c2", -1.5)], "s2": [("c1", 1e10)], "s3": [("c1", -2.0)]}
    models = {"m": {"s1": {"c1": -1.45, "c9": 1e10}, "s3": {"c1": -1.5}, "elsewhere": {"c1": 0.0}}}
    (folder / oc20dense.TARGETS).write_bytes(pickle.dumps(targets))
    (folder / oc20dense.RELAXED).write_bytes(pickle.dumps(models))
    return folder


def test_the_files_layout_and_its_missing_entries(tmp_path):
    (found,) = oc20dense.load(small(tmp_path))
    assert [found.systems, found.candidates] == [["s1", "s1", "s3"], ["c1", "c9", "c1"]]
    verdicts = {one.system: one.why for one in evaluate(found).challenge["structures alone"]}
    assert verdicts == {"s1": "+0.05 eV from the lowest", "s2": "no candidate", "s3": "+0.50 eV from the lowest"}
    (predicted,) = oc20dense.load(tmp_path, {"s1": {"c1": -1.9}, "s3": {"c1": -1.55}})
    verdicts = {one.system: one.why for one in evaluate(predicted).challenge["ensemble"]}
    assert verdicts["s1"] == "-0.45 eV from the reference"


@pytest.mark.skipif(not (PUBLISHED / oc20dense.TARGETS).exists(), reason="the published files are not here")
def test_the_published_files_against_a_count_of_ones_own():
    targets = pickle.loads((PUBLISHED / oc20dense.TARGETS).read_bytes())
    models = pickle.loads((PUBLISHED / oc20dense.RELAXED).read_bytes())
    for labelled, systems in zip(oc20dense.load(PUBLISHED), models.values(), strict=True):
        hits = 0
        for system, entries in targets.items():
            best = min(energy for _, energy in entries)
            found = min(systems.get(system, {"": 1e10}).values())
            hits += found <= best + 0.1
        counted = success(evaluate(labelled).challenge["structures alone"])
        assert (counted.hits, counted.count) == (hits, 200)
