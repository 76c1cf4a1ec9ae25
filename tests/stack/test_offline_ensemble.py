"""A real job on the pretrained potentials that come with the packages, undisturbed and with its worker killed in mid-search."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from adhop import Client, Job
from ase import Atoms
from ase.build import fcc111
from ase.constraints import FixAtoms

from local import hosting, processes
from local.postgres import Postgres
from local.stack import Stack

from .conftest import FAST, start_workers, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.potentials]

PARAMETERS = {"seed": 3, "placement": {"count": 3}, "hopping": {"hops": 1, "max_md_steps": 60}}


@pytest.fixture(scope="module")
def stack(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service with one worker that hosts the three default members."""
    postgres.create_database("offline", template="migrated")
    with Stack(tmp_path_factory.mktemp("offline"), FAST, postgres=postgres, database="offline") as made:
        made.start_servers()
        made.make_key()
        made.start(processes.API)
        start_workers(made, *hosting.MEMBERS)
        made.wait_ready(120)
        yield made
    postgres.drop_database("offline")


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, stack.make_key()) as made:
        yield made


def submit(client: Client) -> Job:
    slab = fcc111("Pt", (2, 2, 3), a=3.97, vacuum=8.0, periodic=True)
    slab.set_constraint(FixAtoms(mask=slab.get_tags() > 1))
    return client.submit(slab=slab, adsorbate="*CO", parameters=PARAMETERS)


def without_ids(atoms: Atoms) -> dict[str, Any]:
    """What is said of a minimum, but for the ids of its job and candidate."""
    return {name: value for name, value in atoms.info.items() if name not in ("job", "candidate")}


def test_carbon_monoxide_binds_through_carbon_the_same_after_a_kill(client: Client, stack: Stack):
    undisturbed = submit(client).wait(progress=False, timeout_s=600)
    lowest = undisturbed.minima()[0]
    carbon, oxygen = lowest[len(lowest) - 2], lowest[len(lowest) - 1]
    assert (carbon.symbol, oxygen.symbol) == ("C", "O")
    assert 1.10 < lowest.get_distance(carbon.index, oxygen.index, mic=True) < 1.25
    assert carbon.z < oxygen.z
    for name in hosting.MEMBERS:
        assert -3 < lowest.info[f"adsorption_energy_{name}"] < -0.5

    killed = submit(client)
    wait_until(lambda: killed.refresh().body["progress"]["hops"]["done"] >= 2, 120, "some hops")
    assert killed.body["progress"]["walkers"]["running"]
    os.killpg(stack.child("potentials").process.pid, signal.SIGKILL)

    def ended() -> bool:
        stack.watch()
        return killed.refresh().ended

    wait_until(ended, 600, "the job's end")
    assert killed.state == "succeeded"
    before, after = undisturbed.minima(), killed.minima()
    for one, other in zip(before, after, strict=True):
        told, again = without_ids(one), without_ids(other)
        assert {
            name: (told.get(name), again.get(name)) for name in told | again if told.get(name) != again.get(name)
        } == {}
        np.testing.assert_array_equal(one.positions, other.positions)


def test_every_candidate_has_an_energy_of_each_member(client: Client):
    job = next(client.jobs())
    distinct = [one for one in job.candidates() if one["duplicate_of"] is None and not one["anomalies"]]
    assert len(distinct) >= 3
    for candidate in distinct:
        energies = {one["member"]: one["adsorption_energy"] for one in candidate["energies"]}
        assert sorted(energies) == sorted(hosting.MEMBERS)
        values = np.array(list(energies.values()))
        assert candidate["score"]["mean"] == pytest.approx(values.mean(), abs=1e-9)
        assert candidate["score"]["std"] == pytest.approx(values.std(ddof=1), abs=1e-9)
        assert candidate["score"]["range"] == pytest.approx(np.ptp(values), abs=1e-9)
