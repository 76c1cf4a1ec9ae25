"""The challenge in a bottle: the method's own experiment, at a size that runs on two cores.

python -m benchmarks.challenge [label] [train] [measure] [search] [report] [--quick] [--folder FOLDER] [--minutes M] ...

A teacher, a potential whose weights ship in a wheel, plays DFT. EquiformerV2, GemNet-OC and eSCN in small learned from its labels
(`label`, `train`; what came of it is in labels/ and checkpoints/ beside this file). They search systems that no label is of, from
random placements, with plain relaxations, restrained ones, and constrained minima hopping, for equally many force calls (`search`);
the tables are those of the published method (`report`). Without a step: `search` and `report`.

To go on: `python -m benchmarks.challenge search --minutes 60`. Each finished search is a line of found.jsonl in the folder, which
begins as a copy of benchmarks/challenge/found.jsonl; what is there is not searched again, and `report` tells what there is. Copied
back over that file, it is the next one's start. On two cores two processes share the work: `train --families gemnet_oc escn` beside
`train --families equiformer_v2`, `search --part 0 2` beside `search --part 1 2`. To begin anew with students of your own: `label
train search report --folder FOLDER --labels FOLDER/labels --checkpoints FOLDER/checkpoints`, some hours on one core; each step goes
on where it was stopped (the training of one network begins again).
"""

from __future__ import annotations

import sys
import time
import warnings
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

import torch

from benchmarks import report
from benchmarks.challenge import labels, shown, students, tables
from benchmarks.challenge.effort import CHECKPOINTS, LABELS, TEACHER, Effort, Store
from benchmarks.challenge.searching import Searches
from benchmarks.challenge.systems import in_turn
from benchmarks.challenge.training import MEMBERS

FOLDER = Path(".adhop/challenge")
QUICK = Effort(budget=120, placements=2, teacher_budget=100, relaxed=1)
QUICK_SYSTEMS = 3
STEPS = ("label", "train", "measure", "search", "report")
FRAMES = 3600


def main() -> None:
    """Entry point."""
    asked = _arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    until = time.monotonic() + 60 * asked.minutes
    steps = asked.steps or ["search", "report"]
    if "label" in steps:
        labels.make(asked.labels, asked.teacher, seed=asked.seed, most=asked.frames, until=until)
    if "train" in steps:
        students.learn(asked.labels, asked.folder, asked.checkpoints, families=asked.families, seed=asked.seed)
    if "measure" in steps:
        report.finish(students.measured(asked.labels, asked.checkpoints, seed=asked.seed))
    effort = QUICK if asked.quick else Effort(budget=asked.budget, seed=asked.seed)
    if "search" in steps or "report" in steps:
        name = "quick.jsonl" if asked.quick else "found.jsonl"
        store = Store(asked.folder / name, effort.key(students.digests(asked.checkpoints)))
        if "search" in steps and not _search(asked, effort, store, until):
            sys.stderr.write("more is left to be searched: the same command goes on\n")
        if "report" in steps:
            found = tables.Found.of(store.units(), store.known())
            if not found.units:
                raise SystemExit("nothing was searched yet: `python -m benchmarks.challenge search`")
            report.finish(shown.show(found, effort))


def _search(asked: Namespace, effort: Effort, store: Store, until: float) -> bool:
    first, step = asked.part
    cases = in_turn()[: QUICK_SYSTEMS if asked.quick else asked.systems][first::step]
    checkpoints = asked.checkpoints
    return Searches(
        cases,
        asked.searchers[:1] if asked.quick else asked.searchers,
        effort,
        store,
        lambda: students.load(checkpoints),
        lambda: students.teacher(checkpoints),
    ).run(until)


def _arguments() -> Namespace:
    parser = ArgumentParser(
        prog="benchmarks.challenge", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    named = ", ".join(STEPS)
    parser.add_argument("steps", nargs="*", metavar="step", help=f"{named}, in this order; left out: search report")
    parser.add_argument("--quick", action="store_true", help="three systems, one searcher, few force calls")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="results (%(default)s)")
    parser.add_argument("--labels", type=Path, default=LABELS, help="what the teacher said (%(default)s)")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help="the students (%(default)s)")
    parser.add_argument("--teacher", default=TEACHER, help="who labels (%(default)s)")
    parser.add_argument("--families", nargs="*", choices=list(MEMBERS), default=list(MEMBERS), help="of those to train")
    parser.add_argument("--searchers", nargs="*", choices=students.NAMES, default=SEARCHERS, help="one after the other")
    parser.add_argument("--systems", type=int, default=None, help="the first so many")
    parser.add_argument(
        "--part",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("I", "N"),
        help="every Nth system from the Ith on: one of N processes",
    )
    parser.add_argument("--frames", type=int, default=FRAMES, help="labels in all (%(default)s)")
    parser.add_argument("--budget", type=int, default=Effort().budget, help="force calls of a search (%(default)s)")
    parser.add_argument("--minutes", type=float, default=1e6, help="nothing is begun after so many")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if unknown := set(asked.steps) - set(STEPS):
        parser.error(f"no step is called {', '.join(sorted(unknown))}: there are {named}")
    return asked


SEARCHERS = ("gemnet-oc-student", "eqv2-student", "escn-student")

if __name__ == "__main__":
    main()
