"""`python -m worker.models fit`: references that fit a member."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.forces.potential import EnergyKind
from shared.errors import Misconfigured
from worker.models import fitting
from worker.models.terminal import DEFAULT_FILE, File, say
from worker.potentials import references_file, registry


def fit(
    names: Annotated[list[str], typer.Argument(help="Members of total energies.")],
    labels: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Extended XYZ; worker/models/fitting.py has the format.")
    ],
    labelled_by: Annotated[str, typer.Option("--set", help="What the labels are called, such as 'our metals'.")],
    functional: Annotated[str, typer.Option(help="Of the labels, such as RPBE.")],
    file: File = DEFAULT_FILE,
) -> None:
    """Fit energies per atom of H, C, N, O to adsorption energies by DFT, and put them in the place of the members' own gas molecules.
    They go into references.toml beside the site's file of members; workers read it when they start."""
    known, found = registry.read(file, site_references=False), fitting.read(labels)
    if direct := [name for name in names if known[name].energy_kind is EnergyKind.ADSORPTION]:
        raise Misconfigured(f"{', '.join(direct)}: predicts adsorption energies itself, and takes no constants")
    made = {}
    for name in names:
        made[name] = fitting.fitted(
            registry.load(known[name]), found, set=labelled_by, functional=functional, made=datetime.now(UTC).date()
        )
        told = made[name].fit
        assert told is not None
        energies = ", ".join(f"{symbol} {energy:.3f}" for symbol, energy in made[name].energies.items())
        say(
            f"{name}: {energies} eV an atom, from {told.labels} labels; off by {told.metal_left_out:.2f} eV on average with the "
            f"metal left out of the fit, {told.adsorbate_left_out:.2f} eV with the adsorbate"
        )
    references_file.write(references_file.beside(file.absolute()), made)
    say(f"written to {references_file.beside(file)}; start the workers again. Jobs that run keep what they began with")
