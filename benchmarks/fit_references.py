"""The references of the offline members that come with Adhop, worker/potentials/references.toml, made anew.

python -m benchmarks.fit_references [--quick] [--database FILE] [--cache FILE]

From the labels and the evaluations of benchmarks/dft.py, by what `python -m worker.models fit` does with a lab's own labels. With
--quick nothing is written.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from benchmarks import report
from benchmarks.dft import CACHE, MEMBERS, QUICK
from benchmarks.dft_labels import asked
from benchmarks.score_walks import Remembered
from services.forces.potential import Card, Evaluation
from shared.scales import Scale
from shared.structures import Structure
from worker.models.fitting import FitLabel, fitted
from worker.potentials import references_file, registry


@dataclass(frozen=True)
class _Known:
    """A member by its remembered evaluations; it is loaded where one is missing."""

    remembered: Remembered

    @property
    def card(self) -> Card:
        entry = registry.shipped()[self.remembered.name]
        known = Card(entry.name, entry.family, "", entry.sha256, entry.energy_kind, frozenset(), 0.0, "", "")
        return replace(known, elements=entry.elements or frozenset())

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        return self.remembered.evaluate(structures)


def main() -> None:
    """Entry point."""
    words, found = asked(__doc__, quick=f"{QUICK} labels; nothing is written", cache=CACHE)
    warnings.simplefilter("ignore")
    labels = [FitLabel(one.adslab, one.slab, one.energy, one.metal, one.adsorbate) for one in found]
    if words.quick:
        labels = labels[:: len(labels) // QUICK]
    made = dict[str, Scale]()
    for name in MEMBERS:
        member = _Known(Remembered(name, words.cache))
        today = datetime.now(UTC).date()
        made[name] = fitted(member, labels, set="PengRole2020", functional="BEEF-vdW", made=today)
    if not words.quick:
        references_file.write(references_file.SHIPPED, made)
    report.finish({name: scale.model_dump(mode="json") for name, scale in made.items()})


if __name__ == "__main__":
    main()
