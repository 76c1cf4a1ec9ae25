"""Adsorbates by their SMILES: bonds, angles and order against what chemistry says; without RDKit, a word on how to get it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from adhop import inputs
from adhop.errors import AdhopError


def test_without_rdkit_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(AdhopError, match=r"pip install 'adhop\[smiles\]'"):
        inputs.adsorbate("smiles:CCO", [2])


def test_ethanol_is_a_molecule_with_its_hydrogens_after_the_atoms_that_were_written():
    from adhop import smiles

    atoms = smiles.molecule("CCO")
    assert atoms.get_chemical_symbols() == ["C", "C", "O", *"HHHHHH"]
    assert atoms.get_distance(0, 1) == pytest.approx(1.52, abs=0.03)
    assert atoms.get_distance(1, 2) == pytest.approx(1.42, abs=0.03)
    assert atoms.get_angle(0, 1, 2) == pytest.approx(108.5, abs=4.0)
    assert np.array_equal(smiles.molecule("CCO").positions, atoms.positions)
    sent = inputs.adsorbate("smiles:CCO", [2])
    assert sent["binding"] == [2]
    assert sent["structure"]["numbers"] == atoms.numbers.tolist()
    with pytest.raises(AdhopError, match="which atoms of the molecule bind"):
        inputs.adsorbate("smiles:CCO", None)


@pytest.mark.parametrize(
    ("text", "why"),
    [("C(C", "no SMILES"), ("", "no SMILES"), ("CO.O", "several molecules"), ("C[O-]", "charge of -1")],
)
def test_what_is_no_neutral_molecule_is_refused(text, why):
    with pytest.raises(AdhopError, match=why):
        inputs.adsorbate(f"smiles:{text}", [0])


def test_benzene_is_flat_and_a_radical_keeps_its_open_end():
    from adhop import smiles

    benzene = smiles.molecule("c1ccccc1").positions
    assert np.linalg.svd(benzene - benzene.mean(axis=0))[1][2] < 0.05
    assert len(smiles.molecule("[CH3]")) == 4
    assert len(smiles.molecule("[H]")) == 1
