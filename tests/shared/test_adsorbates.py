"""OC20's adsorbates by name."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from api.jobs.spacing import CLOSEST
from shared.adsorbates import lookup, names
from shared.errors import InvalidInput
from shared.references import COVERED


def test_there_are_oc20s_86_with_names_of_their_own():
    assert len(names()) == len(set(names())) == 86
    assert all("*" in name and lookup(name).name == name for name in names())


@pytest.mark.parametrize("name", names())
def test_each_is_a_molecule_that_a_job_may_use(name):
    adsorbate = lookup(name)
    positions = np.array(adsorbate.positions)
    assert positions.shape == (len(adsorbate.numbers), 3)
    assert np.isfinite(positions).all()
    assert set(adsorbate.numbers) <= COVERED
    assert len(positions) == 1 or pdist(positions).min() > CLOSEST
    assert len(adsorbate.binding) == name.count("*")
    assert set(adsorbate.binding) <= set(range(len(adsorbate.numbers)))


@pytest.mark.parametrize(
    ("name", "numbers", "bound"),
    [
        ("*O", [8], [8]),
        ("*CO", [6, 8], [6]),
        ("*OH", [1, 8], [8]),
        ("*CH3", [1, 1, 1, 6], [6]),
        ("*NH3", [1, 1, 1, 7], [7]),
    ],
)
def test_the_well_known_ones_bind_as_chemistry_has_it(name, numbers, bound):
    adsorbate = lookup(name)
    assert sorted(adsorbate.numbers) == numbers
    assert [adsorbate.numbers[index] for index in adsorbate.binding] == bound


def test_carbon_monoxide_has_its_bond_length():
    assert pdist(np.array(lookup("*CO").positions)).item() == pytest.approx(1.13, abs=0.05)


@pytest.mark.parametrize(("wrong", "meant"), [("CO", "*CO"), ("*C0", "*CO"), ("*CH3 ", "*CH3")])
def test_a_name_that_comes_close_is_refused_with_a_hint(wrong, meant):
    with pytest.raises(InvalidInput, match="did you mean") as refusal:
        lookup(wrong)
    assert meant in str(refusal.value).partition("did you mean")[2]


@pytest.mark.parametrize(("wrong", "meant"), [("H2O", "*OH2"), ("*H2O", "*OH2"), ("CH3OH", "*OHCH3"), ("OH", "*OH")])
def test_the_formula_of_one_is_answered_with_its_name(wrong, meant):
    with pytest.raises(InvalidInput, match="the same atoms") as refusal:
        lookup(wrong)
    assert f"did you mean {meant} " in str(refusal.value)


def test_a_formula_that_oc20_lacks_is_not_answered_with_another_molecule():
    with pytest.raises(InvalidInput, match=r"none of OC20's has these atoms\. Any other molecule is given"):
        lookup("CO2")


@pytest.mark.parametrize("wrong", ["", "xyzzy", "../adsorbates.pkl"])
def test_any_other_name_is_refused_and_never_replaced(wrong):
    with pytest.raises(InvalidInput, match=r"names look like \*CO") as refusal:
        lookup(wrong)
    assert refusal.value.field == "adsorbate"
