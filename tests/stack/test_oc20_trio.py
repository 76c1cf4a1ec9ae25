"""A real job on EquiformerV2, GemNet-OC and eSCN, as small checkpoints: each searches, all three score."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from adhop import Client
from ase.build import fcc111

from local import processes
from local.postgres import Postgres
from local.stack import Stack
from shared.structures import Structure
from worker.potentials import registry

from .conftest import FAST, start_workers

pytestmark = [pytest.mark.stack, pytest.mark.potentials]

MEMBERS_FILE = Path(__file__).resolve().parents[1] / "checkpoints/members.toml"
TRIO = ("eqv2-small", "gemnet-oc-small", "escn-small")
PARAMETERS = {
    "seed": 1,
    "placement": {"count": 3},
    "hopping": {"hops": 1, "walkers": 1, "max_md_steps": 60},
    # one evaluation each, so that what is stored can be asked again for the candidate's geometry
    "ensemble": {"search_members": TRIO, "score_members": TRIO, "score_steps": 0},
}


@pytest.fixture(scope="module")
def client(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service whose one worker hosts the three, from an administrator's file."""
    postgres.create_database("trio", template="migrated")
    names = ",".join(TRIO)
    variables = FAST | {
        "ADHOP_MODELS_FILE": str(MEMBERS_FILE),
        "ADHOP_DEFAULT_SEARCH_MEMBERS": names,
        "ADHOP_DEFAULT_SCORE_MEMBERS": names,
    }
    with Stack(tmp_path_factory.mktemp("trio"), variables, postgres=postgres, database="trio") as made:
        made.start_servers()
        made.start(processes.API)
        start_workers(made, *TRIO)
        made.wait_ready(180)
        with Client(made.url, made.make_key()) as opened:
            yield opened
    postgres.drop_database("trio")


def test_three_members_search_and_all_score_and_none_is_referenced_twice(client: Client):
    slab = fcc111("Pt", (2, 2, 3), vacuum=7.0, periodic=True)
    job = client.submit(slab=slab, adsorbate="*CO", parameters=PARAMETERS).wait(progress=False, timeout_s=300)
    assert job.state == "succeeded"
    assert job.minima_body()["reference"] == "relaxed clean slab + CO(g), on the scale of OC20 (RPBE)"

    # those that are scored: an unconverged relaxation is kept, and not scored
    distinct = [
        one for one in job.candidates() if one["duplicate_of"] is None and not one["anomalies"] and one["converged"]
    ]
    assert distinct
    assert {one["member"] for one in job.candidates()} == set(TRIO)
    for candidate in distinct:
        assert sorted(one["member"] for one in candidate["energies"]) == sorted(TRIO)

    minima = job.minima()
    lowest = minima[0]
    carbon, oxygen = lowest[len(lowest) - 2], lowest[len(lowest) - 1]
    assert (carbon.symbol, oxygen.symbol) == ("C", "O")
    assert 1.10 < lowest.get_distance(carbon.index, oxygen.index, mic=True) < 1.27
    assert carbon.z < oxygen.z

    known = registry.read(MEMBERS_FILE)
    structures = [Structure.from_oc_atoms(atoms) for atoms in minima]
    for name in TRIO:
        own = [answer.energy for answer in registry.load(known[name]).evaluate(structures)]
        stored = [atoms.info[f"adsorption_energy_{name}"] for atoms in minima]
        np.testing.assert_allclose(stored, own, atol=1e-9)  # what the member says, and nothing taken off
        assert -3 < stored[0] < -1.2
