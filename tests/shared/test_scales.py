"""Scales: what may be averaged has equal words; the matrix of kinds."""

from datetime import date

import pytest
from pydantic import ValidationError

from shared import scales
from shared.references import EnergyKind
from shared.scales import OC20, OWN_GAS, PREDICTED, Fit, Scale, ScaleKind

CO, NH2, CU = [6, 8], [7, 1, 1], [29]


def fit(metal_left_out: float = 0.25, checkpoint: str = "0" * 64) -> Fit:
    return Fit(
        set="Set", functional="BEEF-vdW", made=date(2026, 11, 26), labels=169, checkpoint=checkpoint,
        metal_left_out=metal_left_out, adsorbate_left_out=0.3,
    )  # fmt: skip


def fitted(**values: object) -> Scale:
    energies = {"H": -3.5, "C": -8.0, "O": -7.0}
    return Scale.model_validate({"kind": "fitted", "energies": energies, "fit": fit()} | values)


GIVEN = Scale(kind=ScaleKind.GIVEN, label="our RPBE", energies={"H": -3.0, "C": -8.0, "N": -8.0, "O": -7.0})
OWN = "by each member's own molecules"


@pytest.mark.parametrize(
    ("scale", "co", "nh2", "relaxed_for_nh2"),
    [
        (PREDICTED, "on the scale of OC20 (RPBE)", "on the scale of OC20 (RPBE)", []),
        (OC20, "on the scale of OC20 (RPBE)", "on the scale of OC20 (RPBE)", []),
        (OWN_GAS, OWN, OWN, ["H", "N"]),
        (GIVEN, "by energies given as our RPBE", "by energies given as our RPBE", []),
        (
            fitted(),
            "by constants fitted to Set (BEEF-vdW)",
            f"by constants fitted to Set (BEEF-vdW), N {OWN}",
            ["N"],
        ),
    ],
)
def test_each_kind_says_what_it_is(scale: Scale, co: str, nh2: str, relaxed_for_nh2: list[str]):
    assert scale.words(CO) == co
    assert scale.words(NH2) == nh2
    assert scale.own_molecules(NH2) == relaxed_for_nh2
    assert scale.words(CU) == ""
    assert Scale.model_validate(scale.document()) == scale


def test_an_adsorbate_that_the_constants_say_nothing_of_is_on_the_scale_of_the_own_molecules():
    assert fitted(energies={"C": -8.0}).words([7]) == OWN == OWN_GAS.words([7])


def test_equal_words_are_one_scale_and_no_others():
    assert scales.common([PREDICTED, OC20]) == "on the scale of OC20 (RPBE)"
    assert scales.common([OC20, fitted()]) == ""
    assert scales.common([OC20, OWN_GAS]) == ""
    assert scales.common([OC20, fitted(label="other")]) == ""


def test_older_jobs_have_the_scales_that_there_were():
    assert scales.read({}, "a", EnergyKind.TOTAL) == OWN_GAS
    assert scales.read({}, "a", EnergyKind.ADSORPTION) == PREDICTED
    assert scales.read({"a": fitted().document()}, "a", EnergyKind.TOTAL) == fitted()
    assert scales.stated("relaxed clean slab", None) == "relaxed clean slab"


def test_how_far_off_is_said_of_fitted_ones_alone():
    assert scales.accuracy([OC20, OWN_GAS]) == ""
    several = scales.accuracy([fitted(), fitted(fit=fit(0.4123))])
    assert several == "each member alone is off by 0.25 to 0.41 eV on average on the 169 labels it was fitted to"
    assert scales.accuracy([fitted()]).startswith("the member is off by 0.25 eV")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "given", "energies": {"C": -8.0}}, "need energies by element, and a label"),
        ({"kind": "given", "label": "x"}, "need energies by element, and a label"),
        ({"kind": "own gas", "energies": {"C": -8.0}}, "take no energies"),
        ({"kind": "fitted", "label": "x", "energies": {"C": -8.0}}, "say what they were fitted to"),
        ({"kind": "given", "label": "x", "energies": {"S": -8.0}}, "Input should be 'H', 'C', 'N' or 'O'"),
        ({"kind": "given", "label": "a; b", "energies": {"C": -8.0}}, "String should match pattern"),
    ],
)
def test_what_is_no_scale_is_refused(document: dict, said: str):
    with pytest.raises(ValidationError, match=said):
        Scale.model_validate(document)
