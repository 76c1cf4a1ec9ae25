"""Scales and cautions of a job: told before anything runs, unlike ones refused, kept as they were."""

from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from shared.database.tables import Job
from shared.scales import OC20, OWN_GAS
from tests.api.conftest import ALPHA, BETA, Service
from tests.api.structures import slab, text
from tests.shared.test_scales import fitted

FITTED = [replace(one, name=f"fitted-{one.name}", scale=fitted().model_dump(mode="json")) for one in (ALPHA, BETA)]
CAUTIONS = ({"says": "no dispersion"}, {"says": "PBE+U", "elements": ["O"], "meeting": ["Cu"]})
OF_OC20 = replace(ALPHA, name="oc20-total", scale=OC20.model_dump(mode="json"), cautions=CAUTIONS)


@pytest.fixture(scope="module", autouse=True)
def registered(service: Service) -> None:
    service.register(*FITTED, OF_OC20)


def body(*score: str, adsorbate: object = "*CO", on: str = "Pt", **ensemble: object) -> dict:
    members = {"search_members": ["alpha"], "score_members": list(score)} | ensemble
    given = {"kind": "slab", "slab": text(slab(on)), "adsorbate": adsorbate}
    return {"input": given, "parameters": {"placement": {"count": 1}, "ensemble": members}}


def refusal(client: httpx.Client, given: dict) -> str:
    answer = client.post("/v1/jobs", json=given)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


def kinds(service: Service, made: httpx.Response) -> dict[str, str]:
    """Of the scales that a job keeps."""
    assert made.status_code == 201, made.text
    with service.opened() as session:
        return {name: one["kind"] for name, one in session.get_one(Job, UUID(made.json()["id"])).scales.items()}


@pytest.mark.parametrize(
    "members",
    [
        ("alpha", "direct"),
        ("alpha", "fitted-alpha"),
        ("direct", "fitted-alpha"),
        ("oc20-total", "fitted-alpha"),
        ("oc20-total", "alpha"),
    ],
)
def test_unlike_scales_are_refused_with_what_to_change(client: httpx.Client, members: tuple[str, str]):
    said = refusal(client, body(*members))
    assert "unlike scales, and such energies are never averaged" in said
    assert all(f"{member}: " in said for member in members)
    assert "name members of one scale in parameters.ensemble.score_members" in said
    assert ("set parameters.ensemble.scale to `own gas`" in said) == ("direct" not in members)


@pytest.mark.parametrize(
    ("members", "found"),
    [
        (("alpha", "beta"), ["own gas", "own gas"]),
        (("fitted-alpha", "fitted-beta"), ["fitted", "fitted"]),
        (("direct", "oc20-total"), ["predicted", "constants"]),
    ],
)
def test_one_scale_is_taken_whatever_its_kinds(service: Service, client: httpx.Client, members, found: list[str]):
    assert list(kinds(service, client.post("/v1/jobs", json=body(*members))).values()) == found


def test_all_members_of_total_energies_can_have_their_own_gas(service: Service, client: httpx.Client):
    mixed = body("alpha", "fitted-alpha", "oc20-total", scale="own gas")
    assert set(kinds(service, client.post("/v1/jobs", json=mixed)).values()) == {"own gas"}
    assert "unlike scales" in refusal(client, body("fitted-alpha", "direct", scale="own gas"))


def test_a_member_that_only_searches_may_be_on_any_scale(service: Service, client: httpx.Client):
    given = body("fitted-alpha", "fitted-beta", search_members=["direct", "alpha"])
    assert set(kinds(service, client.post("/v1/jobs", json=given))) == {"fitted-alpha", "fitted-beta"}


def test_references_of_ones_own_bring_members_to_one_scale(service: Service, client: httpx.Client):
    names = ("alpha", "fitted-alpha", "oc20-total")
    own = {
        symbol: {"label": f"{symbol}(ours)", "energies": dict.fromkeys(names, energy)}
        for symbol, energy in (("C", -8.0), ("O", -7.0))
    }
    given = body(*names)
    given["parameters"]["references"] = own
    kinds(service, client.post("/v1/jobs", json=given))
    (shown,) = client.post("/v1/systems", json=given).json()["references"]
    assert (shown["statement"], shown["relaxed"]) == ("relaxed clean slab + C(ours) + O(ours)", ["clean slab"])
    del given["parameters"]["references"]["O"]
    assert "unlike scales" in refusal(client, given)


def test_what_is_relaxed_for_which_scale_is_shown(client: httpx.Client):
    (shown,) = client.post("/v1/systems", json=body("fitted-alpha", "fitted-beta")).json()["references"]
    assert shown["statement"] == "relaxed clean slab + CO(g), by constants fitted to Set (BEEF-vdW)"
    assert (shown["relaxed"], shown["kinds"]) == (["clean slab"], ["fitted"])
    assert shown["accuracy"] == "each member alone is off by 0.25 eV on average on the 169 labels it was fitted to"
    (shown,) = client.post("/v1/systems", json=body("fitted-alpha", adsorbate="*NH2")).json()["references"]
    assert shown["relaxed"] == ["clean slab", "N2(g)"]
    assert shown["statement"].endswith("fitted to Set (BEEF-vdW), N by each member's own molecules")


def test_a_job_keeps_the_scale_that_it_was_submitted_with(service: Service, client: httpx.Client):
    service.register(replace(ALPHA, name="changing", scale=fitted().model_dump(mode="json")))
    made = client.post("/v1/jobs", json=body("changing"))
    service.register(replace(ALPHA, name="changing", scale=OWN_GAS.model_dump(mode="json")))
    assert kinds(service, made) == {"changing": "fitted"}
    (shown,) = client.get(f"/v1/jobs/{made.json()['id']}/system").json()["references"]
    assert shown["kinds"] == ["fitted"]


def test_cautions_are_told_at_submission_and_beside_the_result(client: httpx.Client):
    made = client.post("/v1/jobs", json=body("oc20-total", on="Cu")).json()
    told = ["oc20-total: no dispersion", "oc20-total: PBE+U"]
    assert set(told) <= set(made["warnings"])
    assert client.get(f"/v1/jobs/{made['id']}/minima").json()["cautions"] == told
    before = client.post("/v1/systems", json=body("oc20-total", on="Cu")).json()
    assert set(told) <= set(before["warnings"])
    assert before["cautions"] == client.get(f"/v1/jobs/{made['id']}/system").json()["cautions"] == told
    elsewhere = client.post("/v1/jobs", json=body("oc20-total")).json()["warnings"]
    assert told[0] in elsewhere
    assert told[1] not in elsewhere
