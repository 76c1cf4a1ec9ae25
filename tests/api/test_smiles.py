"""A molecule by its SMILES: the one that the Python client makes of it, which a job takes; refused in words where it is none."""

import numpy as np
import pytest
from adhop import smiles

from api.smiles import child
from shared.database.repositories.users import Role
from shared.errors import InvalidInput
from tests.api.structures import BULK_JOB


def read(client, text):
    return client.get("/v1/adsorbates/smiles", params={"text": text})


@pytest.mark.parametrize("text", ["CCO", "[CH3]", "O=CO", "c1ccoc1", "[H]"])
def test_it_is_the_molecule_that_the_client_makes(client, text):
    pytest.importorskip("rdkit")
    assert client.get("/v1/adsorbates").json()["smiles"] is True
    found, expected = read(client, text).json(), smiles.molecule(text)
    assert found["symbols"] == expected.get_chemical_symbols()
    assert found["numbers"] == expected.numbers.tolist()
    assert np.allclose(found["positions"], expected.positions, atol=1e-9)


def test_a_job_takes_it_with_the_atoms_that_bind(client):
    pytest.importorskip("rdkit")
    found = read(client, "CO").json()
    structure = {"format": "arrays", "numbers": found["numbers"], "positions": found["positions"]}
    structure |= {"cell": np.zeros((3, 3)).tolist(), "pbc": [False] * 3}
    system = client.post(
        "/v1/systems",
        json={"input": BULK_JOB["input"] | {"adsorbate": {"structure": structure, "binding": [1]}}},
    )
    assert system.status_code == 200, system.text
    assert system.json()["adsorbate"]["formula"] == "CH4O"
    assert system.json()["adsorbate"]["binding"] == [1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("C(C", "is no SMILES"),
        ("", "is no SMILES"),
        ("CO.O", "several molecules"),
        ("C[O-]", "charge of -1"),
        ("C" * 40, "122 atoms, and 60 are allowed"),
    ],
)
def test_what_is_no_molecule_is_refused_in_words(client, text, why):
    pytest.importorskip("rdkit")
    answer = read(client, text)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]
    assert answer.json()["field"] == "text"


def test_a_reader_may_not_have_it_computed(service):
    with service.client(Role.READ) as client:
        assert read(client, "CO").status_code == 403


def test_without_rdkit_it_says_whom_to_ask(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rdkit.Chem", None)
    with pytest.raises(InvalidInput, match="this server has no RDKit"):
        child.answer({"smiles": "CO"})
