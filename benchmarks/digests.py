"""Answers of three jobs as digests, to the last bit: whether a change of the code changed any number or word of them.

python -m benchmarks.digests [--only NAME] [--seed N]     a row for each job; one JSON object as the last line

One job for each kind of ensemble, through the whole service: EMT alone, hopping for long enough that chance plays its part; the
default members; OC20's networks as the small checkpoints of the tests. Rows of two versions are to be compared on one machine:
another processor may round otherwise.

candidates, minima: all that the front end tells, without ids, which depend on who came first. walks: what it does not tell, from
the database: placements, what each hop decided, and where walks ended.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from adhop import Client, Job
from ase.build import fcc111
from ase.constraints import FixAtoms

from benchmarks.report import finish
from benchmarks.service import serving
from local import hosting
from local.stack import Stack


@dataclass(frozen=True)
class Case:
    """A job on the (111) face, p(2x2), three layers with the lower two fixed. members: they search, and they score."""

    metal: str
    adsorbate: str
    members: tuple[str, ...]
    parameters: Mapping[str, Any]


_SHORT = {"placement": {"count": 3}, "hopping": {"hops": 1, "max_md_steps": 60}}
CASES = {
    # CHO isn't round, so none of eight placements on four sites is another one again; and its hops come to all ends: accepted,
    # known already, anomalous, run away
    "emt": Case("Cu", "*CHO", ("emt",), {"placement": {"count": 8}, "hopping": {"hops": 6, "walkers": 4}}),
    "offline": Case("Pt", "*CO", hosting.MEMBERS, _SHORT),
    "oc20": Case("Pt", "*CO", ("eqv2-small", "gemnet-oc-small", "escn-small"), _SHORT),
}
SEED = 3


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="one of the three jobs")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    names = [asked.only] if asked.only else list(CASES)
    members = [member for name in names for member in CASES[name].members]
    with serving(members) as (stack, client):
        finish({name: _digests(stack, client, name, asked.seed) for name in names})


def _digests(stack: Stack, client: Client, name: str, seed: int) -> dict[str, Any]:
    """Run one job, print its row, and return what the row says."""
    began = time.monotonic()
    case = CASES[name]
    ensemble = {"search_members": case.members, "score_members": case.members}
    parameters = {**case.parameters, "seed": seed, "ensemble": ensemble}
    slab = fcc111(case.metal, (2, 2, 3), vacuum=8.0, periodic=True)
    slab.set_constraint(FixAtoms(mask=slab.get_tags() > 1))
    job = client.submit(slab=slab, adsorbate=case.adsorbate, parameters=parameters)
    job.wait(progress=False, timeout_s=900)
    candidates, minima = job.candidates(), job.minima_body()
    known_as = _names(candidates)
    chosen = [_without_ids(one, known_as) for one in minima.pop("minima")]
    digests = {
        "candidates": _digest({known_as[one["id"]]: _without_ids(one, known_as) for one in candidates}),
        "minima": _digest([minima, chosen]),
        "walks": _digest(_walks(stack, job)),
    }
    row = " ".join(f"{what} {digest}" for what, digest in digests.items())
    counts = f"{len(candidates)} candidates, {len(chosen)} minima"
    print(f"{name:8} {row}   {counts}, {time.monotonic() - began:.0f} s", flush=True)
    return {**digests, "n_candidates": len(candidates)}


def _names(candidates: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """A name for each candidate's id: its walk's number and its hop. Walks are numbered by what they found: not even the order in
    which their rows were made is part of the answer. Where two found the same to the last bit, that order has to do."""
    walks: dict[int, list[Mapping[str, Any]]] = {}
    for one in sorted(candidates, key=lambda one: (one["walker"], one["hop"])):
        walks.setdefault(one["walker"], []).append(one)
    ordered = sorted(walks.values(), key=lambda walk: _text([_without_ids(one, {}) for one in walk]))
    return {one["id"]: f"{number}.{one['hop']}" for number, walk in enumerate(ordered) for one in walk}


def _without_ids(told: Mapping[str, Any], known_as: Mapping[int, str]) -> dict[str, Any]:
    """What the front end tells of a candidate, other candidates by their names (nameless where none are known yet)."""

    def name(key: int | None) -> str | None:
        return None if key is None else known_as.get(key, "another")

    def named(sentence: str) -> str:
        return re.sub(r"#(\d+)", lambda found: f"#{name(int(found[1]))}", sentence)

    plain = {field: value for field, value in told.items() if field not in ("id", "walker")}
    plain["duplicate_of"] = name(told["duplicate_of"])
    if score := told["score"]:
        plain["score"] = score | {"same_as": name(score["same_as"]), "verdict": named(score["verdict"])}
    if "reason" in told:
        plain["reason"] = named(told["reason"])
    return plain


def _walks(stack: Stack, job: Job) -> list[tuple[Any, ...]]:
    with psycopg.connect(stack.postgres.url(stack.database)) as connection:
        return connection.execute(_WALKS, (job.id,)).fetchall()


_WALKS = """
SELECT p.index, p.site, p.method, p.positions, w.member, w.hop, w.force_calls, w.ended_because,
       c.hop, c.energy, c.positions, c.accepted, c.temperature_k, c.force_calls
FROM walkers w JOIN placements p ON p.id = w.placement_id LEFT JOIN candidates c ON c.walker_id = w.id
WHERE w.job_id = %s ORDER BY p.index, w.member, c.hop
"""


def _text(value: object) -> str:
    """JSON, in which floats are written by `repr`: it differs wherever a bit does."""
    return json.dumps(value, sort_keys=True)


def _digest(value: object) -> str:
    """The first 16 digits of SHA-256."""
    return hashlib.sha256(_text(value).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
