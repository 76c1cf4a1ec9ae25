"""Labelled structures scored by a server: a job of `kind: structures` for those of one system, all of a set at once, then read back.

The same set asked for again finds the jobs that it made before: what was stopped goes on, and what is done is only read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from adhop import Client, Job, RequestRefused
from adhop import submission as client_submission
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from evaluation.labels import Label, LabelledSet
from services.evaluation.labelled import Labelled
from shared.errors import InvalidInput
from shared.soundness import is_sound

LARGEST = 500
"""Structures of one job."""
OPEN = 100
"""Jobs that are open at once."""
_WATCHED = 10
_EVERY_S = 1.0
_TRIES = 5
"""Jobs made for the same structures, where those before failed or were cancelled."""
_LIMIT = 429


@dataclass(frozen=True, eq=False)
class Scored:
    """A label and what the members say of its structure."""

    label: Label
    candidate: Mapping[str, Any]
    """As the server tells it."""


def score(
    client: Client,
    found: LabelledSet,
    *,
    relax: str = "none",
    parameters: Mapping[str, Any] | None = None,
    console: Console | None = None,
) -> Labelled:
    """The set with the members' energies. Why some of it is missing is added to what is left out of it. Raises InvalidInput where no
    structure was scored."""
    with _bar(console) as bar:
        shown = bar.add_task("structures", total=len(found.labels))
        scored = list(_run(client, found, {"relax": relax, "parameters": parameters}, lambda n: bar.advance(shown, n)))
    if not scored:
        raise InvalidInput(f"{found.name}: no structure was scored; {found.left_out[-1]}")
    return _labelled(found, scored, as_given=relax == "none")


def _bar(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )


def _run(client: Client, found: LabelledSet, asked: Mapping[str, Any], done: Any) -> Iterator[Scored]:
    waiting, watched = deque(_groups(found.labels)), deque[tuple[Job, list[Label]]]()
    while waiting or watched:
        while waiting and len(watched) < OPEN:
            group = waiting.popleft()
            try:
                watched.append((_submitted(client, group, asked), group))
            except RequestRefused as refusal:
                if refusal.status == _LIMIT and watched:
                    waiting.appendleft(group)
                    break
                if len(group) > 1 and str(refusal.field or "").startswith("input"):
                    waiting.extendleft([one] for one in reversed(group))  # the others are not to suffer for one
                    continue
                found.left_out.append(f"{group[0].system}, {group[0].name}: {refusal}")
                done(len(group))
        ended = [pair for pair in list(watched)[:_WATCHED] if pair[0].ended or pair[0].refresh().ended]
        for pair in ended:
            watched.remove(pair)
            yield from _read(found, *pair)
            done(len(pair[1]))
        if watched and not ended:
            time.sleep(_EVERY_S)


def _groups(labels: Sequence[Label]) -> Iterator[list[Label]]:
    """Those that one job can hold."""
    kinds = defaultdict[str, list[Label]](list)
    for label in labels:
        kinds[label.kind].append(label)
    for group in kinds.values():
        for start in range(0, len(group), LARGEST):
            yield group[start : start + LARGEST]


def _submitted(client: Client, group: Sequence[Label], asked: Mapping[str, Any]) -> Job:
    """The job of these structures: one that was made before, unless it failed or was cancelled."""
    request = client_submission.body(
        structures=[label.adslab.to_atoms() for label in group],
        labels=_names(group),
        slab=_clean(group[0]),
        name=f"{group[0].system}, {len(group)} labels"[:200],
        **asked,
    )
    request["input"]["adsorbate_indices"] = np.flatnonzero(group[0].adslab.adsorbate).tolist()
    content = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    for attempt in range(_TRIES):
        answer = client.request("POST", "/v1/jobs", json=request, idempotency_key=f"evaluate-{content}-{attempt}")
        if answer["state"] not in ("failed", "cancelled"):
            break
    return Job(client, answer)


def _names(group: Sequence[Label]) -> list[str]:
    """What each is called, no two alike."""
    names = [label.name[:90] for label in group]
    return names if len(set(names)) == len(names) else [f"{name} #{index}" for index, name in enumerate(names)]


def _clean(label: Label) -> Any:
    atoms = label.slab.to_atoms()
    atoms.set_tags(0)
    return atoms


def _read(found: LabelledSet, job: Job, group: Sequence[Label]) -> Iterator[Scored]:
    if job.state != "succeeded":
        failure = job.body.get("failure") or {}
        why = failure.get("reason") or f"job {job.id} was {job.state}"
        found.left_out.append(f"{group[0].system}, {len(group)} structures: {why}")
        return
    by_place = {one["placement"]: one for one in job.candidates() if one["label"] is not None}
    for place, label in enumerate(group):
        if place in by_place:
            yield Scored(label, by_place[place])
        else:
            found.left_out.append(f"{label.system}, {label.name}: no member could evaluate it (job {job.id})")


def _labelled(found: LabelledSet, scored: Sequence[Scored], *, as_given: bool) -> Labelled:
    """In the order of the set. as_given: nothing was relaxed, so that every structure is one that its set stands for, whatever the
    detector of anomalies makes of it: carbon in a fourfold hollow lies level with the surface, and is called intercalated."""
    place = {id(label): index for index, label in enumerate(found.labels)}
    scored = sorted(scored, key=lambda one: place[id(one.label)])
    members = sorted({energy["member"] for one in scored for energy in one.candidate["energies"]})
    energies = [
        {energy["member"]: energy["adsorption_energy"] for energy in one.candidate["energies"]} for one in scored
    ]
    stated = {
        energy["reference"] for one in scored for energy in one.candidate["energies"] if energy["reference"] is not None
    }
    anomalies = [one.candidate["anomalies"] for one in scored]
    return Labelled(
        name=found.name,
        reference_name=f"{found.reference}, relative to {_relative(stated)}",
        systems=[one.label.system for one in scored],
        candidates=[one.label.name for one in scored],
        members=tuple(members),
        energies=np.array(
            [[np.nan if row.get(member) is None else row[member] for member in members] for row in energies],
            dtype=np.float64,
        ),
        reference=np.array([one.label.energy for one in scored]),
        sound=np.array(
            [
                as_given or is_sound(one.candidate["converged"], names)
                for one, names in zip(scored, anomalies, strict=True)
            ]
        ),
        anomalies=[", ".join(names) for names in anomalies],
    )


def _relative(stated: set[str]) -> str:
    return stated.pop() if len(stated) == 1 else "the clean slab and CO(g), H2(g), H2O(g), N2(g)"
