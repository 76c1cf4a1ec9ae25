"""A field stands once: what jobs, choices and requests to choose again have in common is the same."""

import pytest
from pydantic import BaseModel, ValidationError

from api.selections.requests import SelectionRequest
from shared.parameters import Choosing, Ensemble, JobParameters, OwnReference, Selection, Spread
from shared.references import CHEMICAL_POTENTIALS, GAS, in_gas

MEMBERS = ("a", "b")
NULL = {"type": "null"}


def test_a_job_s_choice_has_each_field_of_its_ensemble_and_selection():
    ensemble = Ensemble(
        weights={"a": 2.0}, spread=Spread.RANGE, limit="calibrated", functional="PBE", score_members=("c",)
    )
    selection = Selection(count=3, window=0.5, include_anomalous=True)
    choosing = JobParameters(ensemble=ensemble, selection=selection).choosing(MEMBERS)
    all_fields = ensemble.model_dump() | selection.model_dump() | {"members": MEMBERS}
    assert choosing.model_dump().items() <= all_fields.items()
    assert all_fields.keys() - choosing.model_fields_set == {
        "search_members",
        "refine_members",
        "score_members",
        "score_steps",
        "scale",
    }


def test_every_field_of_a_choice_may_be_asked_for_within_its_bounds():
    assert list(SelectionRequest.model_fields) == list(Choosing.model_fields)
    for name in Choosing.model_fields:
        own, asked = _schema(Choosing, name), _schema(SelectionRequest, name)
        assert [part for part in asked["anyOf"] if part != NULL] == [
            part for part in own.get("anyOf", [own]) if part != NULL
        ]


@pytest.mark.parametrize("steps", [-1, 201, 2.5])
def test_scoring_members_relax_for_0_to_200_whole_steps(steps):
    assert [Ensemble(score_steps=within).score_steps for within in (0, 200)] == [0, 200]
    with pytest.raises(ValidationError, match="score_steps"):
        Ensemble(score_steps=steps)


def _schema(model: type[BaseModel], name: str) -> dict:
    whole = model.model_json_schema()["properties"][name]
    return {key: value for key, value in whole.items() if key not in ("default", "title", "description")}


def test_references_are_of_elements_those_of_the_gas_molecules_included():
    own = {
        symbol: OwnReference(label=f"{symbol} of mine", energies={"a": -1.0}) for symbol in (*CHEMICAL_POTENTIALS, "S")
    }
    assert JobParameters(references=own).references == own
    with pytest.raises(ValidationError, match="Xx is no element: name references by element symbol"):
        JobParameters(references={"Xx": own["S"]})


@pytest.mark.parametrize("molecule", GAS)
def test_names_of_the_gas_references_are_taken(molecule):
    with pytest.raises(ValidationError, match="each reference needs a label of its own"):
        JobParameters(references={"S": OwnReference(label=in_gas(molecule), energies={"a": -1.0})})
