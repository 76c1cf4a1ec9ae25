"""References against hand-worked reaction equations and experimental geometries."""

from __future__ import annotations

import numpy as np
import pytest

from services.scoring.references import (
    adsorption_energy,
    coefficients,
    gas_energy,
    gas_start,
    molecules,
    own_energies,
    statement,
    words,
)
from shared.errors import InvalidInput
from shared.parameters import OwnReference
from shared.references import GAS
from shared.scales import OC20, OWN_GAS, Scale
from tests.shared.test_scales import GIVEN, fitted

# adsorbate atoms, molecules they are worth (worked by balancing the formation reaction), and the words for it
CASES = [
    ([6, 8], {"CO": 1}, "relaxed clean slab + CO(g)"),
    ([8, 1], {"H2": -0.5, "H2O": 1}, "relaxed clean slab - 0.5 H2(g) + H2O(g)"),
    ([8], {"H2": -1, "H2O": 1}, "relaxed clean slab - H2(g) + H2O(g)"),
    ([6, 1, 1, 1], {"CO": 1, "H2": 2.5, "H2O": -1}, "relaxed clean slab + CO(g) + 2.5 H2(g) - H2O(g)"),
    ([6], {"CO": 1, "H2": 1, "H2O": -1}, "relaxed clean slab + CO(g) + H2(g) - H2O(g)"),
    ([7, 1, 1], {"H2": 1, "N2": 0.5}, "relaxed clean slab + H2(g) + 0.5 N2(g)"),
    ([7, 7, 8], {"H2": -1, "H2O": 1, "N2": 1}, "relaxed clean slab - H2(g) + H2O(g) + N2(g)"),
    ([1, 1, 8], {"H2O": 1}, "relaxed clean slab + H2O(g)"),
    ([6, 8, 8, 1], {"CO": 1, "H2": -0.5, "H2O": 1}, "relaxed clean slab + CO(g) - 0.5 H2(g) + H2O(g)"),
]
ATOMS = {"CO": {6: 1, 8: 1}, "H2": {1: 2}, "H2O": {1: 2, 8: 1}, "N2": {7: 2}}


@pytest.mark.parametrize(("numbers", "worth", "words"), CASES)
def test_hand_worked_references(numbers: list[int], worth: dict[str, float], words: str) -> None:
    assert coefficients(numbers) == worth
    assert statement(coefficients(numbers)) == words


@pytest.mark.parametrize("numbers", [case[0] for case in CASES])
def test_the_molecules_hold_the_atoms_of_the_adsorbate(numbers: list[int]) -> None:
    held = dict.fromkeys((1, 6, 7, 8), 0.0)
    for gas, count in coefficients(numbers).items():
        for number, share in ATOMS[gas].items():
            held[number] += count * share
    assert held == {number: numbers.count(number) for number in held}


def test_statement_does_not_depend_on_the_order() -> None:
    worth = coefficients([6, 1, 1, 1])
    assert statement(dict(reversed(worth.items()))) == statement(worth)


def test_other_elements_have_no_reference() -> None:
    with pytest.raises(InvalidInput, match="no reference for Cl, S"):
        coefficients([6, 16, 17])


OWN = {
    "S": OwnReference(label="S8(g)", atoms=8, energies={"a": -32.0, "b": -8.0}),
    "Cl": OwnReference(label="Cl2(g)", atoms=2, energies={"a": -3.0}),
}


def test_elements_of_ones_own_are_counted_in_their_own_units_and_named() -> None:
    worth = coefficients([16, 1], OWN)  # SH = 1/8 S8 + 1/2 H2
    assert worth == {"H2": 0.5, "S8(g)": 0.125}
    assert statement(worth) == "relaxed clean slab + 0.5 H2(g) + 0.125 S8(g)"
    # -110 - (-100) - (0.5 * -6.75 + 0.125 * -32)
    energies = {"H2": -6.75} | own_energies({"S": OWN["S"]}, "a")
    assert adsorption_energy(-110.0, -100.0, energies, worth) == pytest.approx(-2.625)
    assert coefficients([6, 8], OWN) == coefficients([6, 8])


def test_each_member_needs_its_own_energy_of_a_reference() -> None:
    with pytest.raises(InvalidInput, match=r"no energy of Cl2\(g\) by b: each member needs its own"):
        own_energies(OWN, "b")


def test_adsorption_energy_of_hydroxyl() -> None:
    # -120 - (-100) - (-14.5 + 0.5 * 6.75)
    gas = {"H2O": -14.5, "H2": -6.75}
    assert adsorption_energy(-120.0, -100.0, gas, coefficients([8, 1])) == pytest.approx(-8.875)


@pytest.mark.parametrize("name", GAS)
def test_gas_sees_no_image_of_itself_within_twelve_angstrom(name: str) -> None:
    start = gas_start(name, (True, True, True))
    assert start.pbc.tolist() == [True, True, True]
    assert not start.fixed.any()
    assert not start.adsorbate.any()
    extent = np.ptp(start.positions, axis=0)
    assert (np.linalg.norm(start.cell, axis=1) - extent > 12.0).all()
    assert {int(number): int((start.numbers == number).sum()) for number in start.numbers} == ATOMS[name]


# experimental bond lengths, Å: NIST CCCBDB
@pytest.mark.parametrize(("name", "bond"), [("CO", 1.128), ("H2", 0.741), ("H2O", 0.958), ("N2", 1.098)])
def test_gas_starts_near_its_geometry(name: str, bond: float) -> None:
    atoms = gas_start(name, (True, True, False)).to_atoms()
    lengths = atoms.get_all_distances()[np.triu_indices(len(atoms), 1)]
    assert lengths.min() == pytest.approx(bond, abs=0.05)


def test_unknown_gas_is_refused() -> None:
    with pytest.raises(InvalidInput, match="CO, H2, H2O, N2"):
        gas_start("O2", (True, True, True))


RELAXED = {"CO": -15.0, "H2": -7.0, "H2O": -14.0, "N2": -17.0}
FITTED = fitted()  # H -3.5, C -8, O -7


@pytest.mark.parametrize(
    ("numbers", "scale", "energy", "asked"),
    [
        # worked by hand: E(CO); then one half of E(H2) and E(H2O) - E(H2) for OH
        ([6, 8], OWN_GAS, -15.0, ["CO"]),
        ([8, 1], OWN_GAS, -14.0 + 3.5, ["H2", "H2O"]),
        ([7, 1, 1], OWN_GAS, -8.5 - 7.0, ["H2", "N2"]),
        ([6, 8], OC20, -7.282 - 7.204, []),
        ([7, 1, 1], OC20, -8.083 - 2 * 3.477, []),
        ([6, 8], FITTED, -15.0, []),
        ([6, 1, 1, 1], FITTED, -8.0 - 3 * 3.5, []),
        ([7, 1, 1], FITTED, -8.5 - 2 * 3.5, ["N2"]),
        ([8, 1], GIVEN, -7.0 - 3.0, []),
    ],
)
def test_the_gas_is_worth_what_the_kind_says(numbers: list[int], scale: Scale, energy: float, asked: list[str]):
    assert molecules(numbers, scale) == asked
    relaxed = {name: RELAXED[name] for name in asked}
    assert gas_energy(numbers, scale, relaxed, {}, "m") == pytest.approx(energy)


def test_references_of_the_job_come_before_all_others():
    own = {"O": OwnReference(label="O2(g)", atoms=2, energies={"m": -10.0})}
    assert molecules([8, 1], OWN_GAS, own) == ["H2"]
    assert gas_energy([8, 1], OWN_GAS, {"H2": -7.0}, own, "m") == pytest.approx(-5.0 - 3.5)
    assert gas_energy([8, 1], FITTED, {}, own, "m") == pytest.approx(-5.0 - 3.5)
    assert statement(coefficients([8, 1], own)) == "relaxed clean slab + 0.5 H2(g) + 0.5 O2(g)"
    assert words([8, 1], FITTED, own) == "by constants fitted to Set (BEEF-vdW)"
    assert words([8], FITTED, own) == ""
