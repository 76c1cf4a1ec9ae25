"""One job, members in several worker processes, one table; and jobs whose members nobody hosts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from adhop import Client, RequestRefused
from adhop.errors import ServerUnreachable
from ase.build import fcc111

from local import processes
from local.postgres import Postgres
from local.processes import Role
from local.stack import ROOT, Stack
from tests.worker.potentials.test_other_environments import make_checkpoint, python_of

from .conftest import FAST, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.potentials]

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints"
TRIO = ["eqv2-small", "gemnet-oc-small", "escn-small"]
QUICK = {"seed": 5, "placement": {"count": 2}, "hopping": {"hops": 0}}
TABLE = """
[[member]]
name = "site-mace"
family = "mace"
path = "site.model"
sha256 = "{sha256}"
energy_kind = "total"
elements = ["H", "C", "O", "Ni", "Cu", "Pd", "Pt"]
"""


def table(sha256: str) -> str:
    """The small networks of OC20's architectures, and a MACE with this checksum."""
    networks = (CHECKPOINTS / "members.toml").read_text()
    return networks.replace('path = "', f'path = "{CHECKPOINTS}/') + TABLE.format(sha256=sha256)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's file of members; a test may write another member into it before it starts a worker."""
    return tmp_path_factory.mktemp("site") / "members.toml"


@pytest.fixture(scope="module")
def stack(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, file: Path) -> Iterator[Stack]:
    """A service whose workers the tests start."""
    file.write_text(table("0" * 64))
    # as UMA's: total energies, with OC20's constants for the gas molecules
    of_oc20 = ("emt", "sevennet-0", "site-mace")
    file.with_name("references.toml").write_text("".join(f'["{name}"]\nkind = "constants"\n' for name in of_oc20))
    postgres.create_database("mixed", template="migrated")
    variables = FAST | {"ADHOP_MODELS_FILE": str(file)}
    with Stack(tmp_path_factory.mktemp("mixed"), variables, postgres=postgres, database="mixed") as made:
        made.start_servers()
        made.make_key()
        for role in (processes.API, processes.DISPATCHER, processes.CPU):
            made.start(role)
        hosts(made, "emt", "emt")
        hosts(made, "networks", "sevennet-0", *TRIO)
        yield made
    postgres.drop_database("mixed")


def hosts(stack: Stack, name: str, *members: str, python: Path | None = None) -> None:
    """A worker process of its own for these members, in another environment where `python` says so."""
    role = processes.potentials(members, name)
    if python is not None:
        role = Role(name, (str(python), "-m", *role.command))
    stack.start(role, {"ADHOP_MEMBERS": ",".join(members)})


def trust(stack: Stack, name: str, file: Path) -> None:
    """What an administrator does after the checkpoint of a known member was replaced."""
    environment = os.environ | {
        "ADHOP_DATABASE_URL": stack.postgres.url(stack.database),
        "ADHOP_BROKER_URL": stack.valkey.url,
    }
    command = [sys.executable, "-m", "worker.models", "trust", name, "--file", str(file)]
    subprocess.run(command, env=environment, check=True, cwd=ROOT)


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, stack.make_key()) as made:
        wait_until(lambda: known(made) >= {"emt", "sevennet-0", "site-mace"}, 90, "the members")
        yield made


def known(client: Client) -> set[str]:
    try:
        return {one["name"] for one in client.request("GET", "/v1/models")["models"]}
    except ServerUnreachable:
        return set()


def submit(client: Client, *, search: list[str], score: list[str]):
    slab = fcc111("Pt", (2, 2, 3), a=3.95, vacuum=8.0, periodic=True)
    ensemble = {"search_members": search, "score_members": score}
    return client.submit(slab=slab, adsorbate="*CO", parameters=QUICK | {"ensemble": ensemble})


def check_table(job, members: list[str]) -> None:
    """Each sound candidate has an energy of every member, and the scores are those of all of them."""
    sound = [one for one in job.candidates() if one["duplicate_of"] is None and not one["anomalies"]]
    assert sound
    for one in sound:
        energies = {row["member"]: row["adsorption_energy"] for row in one["energies"]}
        assert sorted(energies) == sorted(members)
        for row in one["energies"]:
            # the finder has it as its own minimum; the others relaxed it, and say so, or how they left it
            # (the MACE's weights are so small that every place is a minimum to it)
            if row["member"] != "site-mace":
                assert (row["relaxation_steps"] == 0) == (row["member"] == one["member"])
            assert row["displacement"] is None or (row["relaxation_steps"] > 0 and row["left_minimum"] is None)
        assert one["score"]["mean"] == pytest.approx(np.mean(list(energies.values())), abs=1e-9)


def owners(client: Client) -> dict[str, str]:
    """The worker process that hosts each member."""
    workers = client.request("GET", "/v1/workers")["workers"]
    return {one["member"]: worker["name"] for worker in workers for one in worker["members"]}


def test_members_of_two_processes_search_and_score_one_job(client: Client):
    """EMT alone in one process, SevenNet and the trio in another: total energies with OC20's constants, as UMA's are, and adsorption
    energies as EquiformerV2 predicts them, on one scale."""
    members = ["emt", "sevennet-0", *TRIO]
    job = submit(client, search=["emt", "sevennet-0", "gemnet-oc-small"], score=members).wait(
        progress=False, timeout_s=240
    )
    assert {one["member"] for one in job.candidates()} == {"emt", "sevennet-0", "gemnet-oc-small"}
    check_table(job, members)
    body = job.minima_body()
    assert body["reference"] == "relaxed clean slab + CO(g), on the scale of OC20 (RPBE)"
    assert body["offsets"].keys() == set(members)
    assert job.body["progress"]["references"]["total"] == len(members)  # clean slabs, and no molecule
    assert len({owners(client)[member] for member in members}) == 2


def test_members_on_unlike_scales_are_refused_before_anything_runs(client: Client):
    with pytest.raises(
        RequestRefused, match=r"chgnet-0\.3\.0: by constants fitted to PengRole2020 .*name members of one scale"
    ):
        submit(client, search=["emt"], score=["chgnet-0.3.0", "eqv2-small"])


def test_a_member_that_the_registry_lacks_is_refused_with_those_it_has(client: Client):
    with pytest.raises(RequestRefused, match=r"unknown member somebodys; registered are chgnet-0\.3\.0, .*site-mace"):
        submit(client, search=["emt"], score=["somebodys"])


def test_a_job_waits_for_a_member_that_nobody_hosts_and_says_so_until_somebody_does(
    client: Client, stack: Stack, file: Path
):
    job = submit(client, search=["emt"], score=["emt", "site-mace", *TRIO])
    waiting = wait_until(lambda: job.refresh().body["waiting_for"], 60, "the reason")
    assert "no worker hosts site-mace" in wait_until(
        lambda: (text := job.refresh().body["waiting_for"]) and "site-mace" in text and text, 60, f"not {waiting}"
    )
    python = python_of("mace")
    make_checkpoint("mace", file.with_name("site.model"), "0.01")
    trust(stack, "site-mace", file)
    hosts(stack, "mace", "site-mace", python=python)
    job.wait(progress=False, timeout_s=240)
    check_table(job, ["emt", "site-mace", *TRIO])
    assert owners(client)["site-mace"] != owners(client)["emt"]
