"""Sets of the community: every label on the scale of the service, worked out by hand beside it, and what is said of wrong files."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixBondLength

from evaluation import catbench, cathub, vasp
from evaluation.labels import LabelledSet, label, on_scale
from shared.errors import InvalidInput
from tests.evaluation.sets import (
    adsorption,
    carbon_monoxide,
    catbench_entry,
    clean,
    gas,
    on,
    shared,
    vasprun,
)
from tests.evaluation.sets import catbench as catbench_file
from tests.evaluation.sets import cathub as cathub_file

LABELS = Path(__file__).resolve().parents[3] / "shared/data/dft/PengRole2020.db"


def test_catbench_in_both_layouts_gives_the_energies_by_hand(tmp_path):
    path = catbench_file(tmp_path / "set.json")
    found = catbench.load(path)
    assert (found.name, found.left_out) == ("set.json", [])
    for one, atoms in zip(found.labels, carbon_monoxide(), strict=True):
        assert one.system == "CO on Cu111"
        assert one.energy == pytest.approx(adsorption(atoms, clean(), {"CO": 1}), abs=1e-9)
        assert np.allclose(one.adslab.positions, atoms.positions)
        assert one.adslab.adsorbate.sum() == 2
        assert one.adslab.fixed.sum() == one.slab.fixed.sum() == 8
    assert len({one.kind for one in found.labels}) == 1, "one job"
    again = tmp_path / "shared.json"
    again.write_text(json.dumps(shared(json.loads(path.read_text()))))
    assert [one.energy for one in catbench.load(again).labels] == [one.energy for one in found.labels]


def test_other_molecules_are_brought_to_the_scale_by_dft_s_own_energies(tmp_path):
    carbon = on(clean(), Atoms("C"), 1.2)
    content = {
        "Cu111_C": catbench_entry(carbon, clean(), {"CH4": 1.0, "H2": -2.0}, "C"),
        "Cu111_CO": catbench_entry(carbon_monoxide(1)[0], clean(), {"CO": 1.0}),
    }
    path = tmp_path / "set.json"
    path.write_text(json.dumps(content))
    lacking = catbench.load(path)
    assert [one.name for one in lacking.labels] == ["Cu111_CO"]
    (said,) = lacking.left_out
    assert said.startswith("Cu111_C: its reaction takes other molecules")
    assert "no total energy by DFT of H2O" in said
    content["Cu111_O"] = catbench_entry(on(clean(), Atoms("O"), 1.1), clean(), {"H2O": 1.0, "H2": -1.0}, "O")
    path.write_text(json.dumps(content))
    found = {one.name: one.energy for one in catbench.load(path).labels}
    assert found["Cu111_C"] == pytest.approx(adsorption(carbon, clean(), {"CO": 1, "H2O": -1, "H2": 1}), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.pop("raw"), "it has no structures under `raw`"),
        (lambda one: one["raw"].pop("star"), "one `star`, the clean slab, and one `X*star` are needed"),
        (lambda one: one["raw"]["star"].pop("atoms_json"), "star has neither `atoms_json` nor a `ref`"),
        (lambda one: one["raw"]["COstar"].update(atoms_json="{"), "the atoms of COstar can't be read as ASE's JSON"),
        (lambda one: one["raw"]["COstar"].update(stoi=2.0), "more or less than one adslab"),
        (lambda one: one.update(ref_ads_eng=None), "it has no number `ref_ads_eng`"),
        (lambda one: one["raw"]["COgas"].update(stoi=-2.0), "its reaction isn't balanced in C, O"),
        (lambda one: one["raw"]["COgas"].pop("stoi"), "COgas has no number `stoi`"),
        (lambda one: one.update(ref_ads_eng=float("nan")), "its energy is nan"),
        (lambda one: one.update(adsorbate_indices=[0, 99]), "its adsorbate_indices [0, 99]"),
        (lambda one: one["raw"].update(**{"H2?gas": one["raw"].pop("COgas")}), "'H2?' is no formula of a gas molecule"),
    ],
)
def test_an_entry_that_can_t_be_used_is_named_and_the_others_go_on(tmp_path, change, said):
    content = json.loads(catbench_file(tmp_path / "set.json", 2).read_text())
    change(content["Cu111_CO_1"])
    path = tmp_path / "set.json"
    path.write_text(json.dumps(content))
    found = catbench.load(path)
    assert [one.name for one in found.labels] == ["Cu111_CO_0"]
    (reason,) = found.left_out
    assert reason.startswith("Cu111_CO_1: ")
    assert said in reason
    path.write_text(json.dumps({"Cu111_CO_1": content["Cu111_CO_1"]}))
    with pytest.raises(InvalidInput, match="no entry can be used"):
        catbench.load(path)


@pytest.mark.parametrize("text", ["", "[1]", "{}", "{"])
def test_a_file_that_is_no_set_is_refused(tmp_path, text):
    (tmp_path / "set.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"set\.json (is no JSON|holds no reactions)"):
        catbench.load(tmp_path / "set.json")
    with pytest.raises(InvalidInput, match="can't be read"):
        catbench.load(tmp_path / "none.json")


def reactions() -> list[tuple[str, str, dict[str, float], dict[str, float], dict[str, Atoms]]]:
    """CO, O from H2O, a dissociation, and CO held by its bond."""
    slab, monoxide = clean(), carbon_monoxide(2)
    oxygen = on(slab, Atoms("O"), 1.1, "hcp")
    held = monoxide[1].copy()
    held.set_constraint([*held.constraints, FixBondLength(12, 13)])
    return [
        (
            "Cu-fcc",
            "111-fcc",
            {"star": 1, "COgas": 1},
            {"COstar": 1},
            {"star": slab, "COgas": gas("CO"), "COstar": monoxide[0]},
        ),
        (
            "Cu-fcc",
            "111-hcp",
            {"star": 1, "H2Ogas": 1},
            {"Ostar": 1, "H2gas": 1},
            {"star": slab, "H2Ogas": gas("H2O"), "H2gas": gas("H2"), "Ostar": oxygen},
        ),
        (
            "Cu-fcc",
            "111",
            {"COstar": 1, "star": 1},
            {"Ostar": 1, "COstar": 1},
            {"star": slab, "COstar": monoxide[0], "Ostar": oxygen},
        ),
        (
            "Cu-fcc",
            "111-fcc",
            {"star": 1, "COgas": 1},
            {"COstar": 1},
            {"star": slab, "COgas": gas("CO"), "COstar": held},
        ),
    ]


def test_a_database_of_catalysis_hub_gives_the_energies_by_hand(tmp_path):
    found = cathub.load(cathub_file(tmp_path / "set.db", reactions()))
    assert found.reference == "DFT (ASE EMT)"
    assert [(one.system, one.name) for one in found.labels] == [
        ("CO on Cu(111)", "reaction 1, 111-fcc"),
        ("O on Cu(111)", "reaction 2, 111-hcp"),
    ]
    carbon, oxygen = found.labels
    assert carbon.energy == pytest.approx(adsorption(carbon_monoxide(1)[0], clean(), {"CO": 1}), abs=1e-9)
    by_hand = adsorption(on(clean(), Atoms("O"), 1.1, "hcp"), clean(), {"H2O": 1, "H2": -1})
    assert oxygen.energy == pytest.approx(by_hand, abs=1e-9)
    assert found.left_out == [
        "reaction 4: its structure was held by FixBondLengths, which no minimum is: leave it out, or relax it freely"
    ]


def test_a_database_that_is_none_or_lacks_a_structure_is_refused(tmp_path):
    path = cathub_file(tmp_path / "set.db", reactions()[:2])
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM reaction_system WHERE id = 1 AND name = 'COstar'")
        connection.execute("UPDATE reaction_system SET ase_id = 'gone' WHERE id = 2 AND name = 'Ostar'")
    with pytest.raises(InvalidInput, match="reaction 1: it has no structure of COstar: hand it in") as refusal:
        cathub.load(path)
    assert "the first of 2" in str(refusal.value)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE reaction_system")
    with pytest.raises(InvalidInput, match="is no database of Catalysis-Hub"):
        cathub.load(path)
    with pytest.raises(InvalidInput, match="there is no such file"):
        cathub.load(tmp_path / "none.db")


def test_folders_of_vasp_give_the_energies_by_hand(tmp_path):
    system = tmp_path / "CO on Cu(111)"
    vasprun(system / "slab", clean())
    for index, atoms in enumerate(carbon_monoxide(2)):
        vasprun(system / f"site-{index}", atoms)
    vasprun(tmp_path / "gas-CO", gas("CO"))
    found = vasp.load([system])
    assert [(one.system, one.name) for one in found.labels] == [
        ("CO on Cu(111)", "site-0"),
        ("CO on Cu(111)", "site-1"),
    ]
    for one, atoms in zip(found.labels, carbon_monoxide(2), strict=True):
        assert one.energy == pytest.approx(adsorption(atoms, clean(), {"CO": 1}), abs=1e-6)
        assert one.adslab.fixed.sum() == 8
    vasprun(system / "oxygen", on(clean(), Atoms("O"), 1.1))
    (reason,) = vasp.load([system]).left_out
    assert reason.startswith(str(system / "oxygen"))
    assert "no calculation of H2, H2O: add gas-H2, gas-H2O" in reason
    text = (system / "site-1/vasprun.xml").read_text()
    (system / "site-1/vasprun.xml").write_text(text[: len(text) // 2])
    half = vasp.load([system]).left_out
    assert "site-1/vasprun.xml can't be read" in half[-1]
    assert "is the calculation finished?" in half[-1]


def test_folders_without_a_slab_say_how_they_are_laid_out(tmp_path):
    vasprun(tmp_path / "sys/site-0", carbon_monoxide(1)[0])
    with pytest.raises(InvalidInput, match="holds no calculation of the clean slab: put it into"):
        vasp.load([tmp_path / "sys"])
    with pytest.raises(InvalidInput, match="is no folder"):
        vasp.load([tmp_path / "none"])


def test_the_slab_is_found_in_any_order_and_an_adslab_of_another_is_refused():
    slab, whole = clean(), carbon_monoxide(1)[0]
    order = np.random.default_rng(3).permutation(len(whole))
    one = label("CO on Cu", "mixed", whole[order], slab, -0.5)
    assert np.allclose(one.adslab.positions[:12], whole.positions[:12])
    assert one.adslab.numbers[12:].tolist() in ([6, 8], [8, 6])
    wider = whole.copy()
    wider.set_cell(wider.cell * [1.1, 1, 1], scale_atoms=True)
    with pytest.raises(InvalidInput, match="different cells"):
        label("CO on Cu", "wider", wider, slab, -0.5)
    moved = whole[order]
    moved.positions[moved.numbers == 29] += [0, 0, 5]
    with pytest.raises(InvalidInput, match="not found again"):
        label("CO on Cu", "moved", moved, slab, -0.5)
    oxide = on(slab, Atoms("O"), 1.1)
    twice = on(oxide, Atoms("O"), 1.1, "hcp")
    oxygen = label("O on O/Cu", "oxide", twice[::-1], oxide, -0.5)
    assert np.allclose(oxygen.adslab.positions[-1], twice.positions[-1]), "the one that the clean slab doesn't have"
    with pytest.raises(InvalidInput, match="is not Cu12 and an adsorbate"):
        on_scale(0.0, {}, slab, slab, {})


def test_nothing_at_all_is_no_set():
    with pytest.raises(InvalidInput, match="x: no entry can be used"):
        LabelledSet("x", "DFT").checked()


@pytest.mark.skipif(not LABELS.exists(), reason="the labels are data of their own")
def test_labels_of_catalysis_hub_are_those_of_the_benchmark():
    from benchmarks.dft_labels import labels

    known = {one.reaction: one for one in labels(LABELS)}
    found = cathub.load(LABELS)
    assert len(found.labels) > 160
    for one in found.labels:
        other = known[int(one.name.split(",")[0].removeprefix("reaction "))]
        assert one.energy == other.energy
        assert (one.adslab.positions == other.adslab.positions).all()
        assert (one.slab.positions == other.slab.positions).all()
