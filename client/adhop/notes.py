"""What the numbers of a table mean, in sentences: the reference and how far it may be off, the spreads, and what to mind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SPREADS = (
    "std and range: how far the members disagree about this adsorption energy; relative: how far they disagree about where the "
    "minimum stands among the others"
)


def reference(body: Mapping[str, Any]) -> str:
    """What the energies are relative to, and how far that may be off."""
    told = f"adsorption energies in {body['unit']} per adslab, relative to {body['reference']}"
    accuracy = body.get("accuracy")
    return f"{told}; {accuracy}" if accuracy else told


def offset_spread(body: Mapping[str, Any]) -> str:
    """How far the members disagree about all of the minima alike; empty where nobody can tell."""
    spread, n = body.get("offset_spread"), body.get("n_offsets", 0)
    if spread is None:
        return ""
    each = ", ".join(f"{member} {offset:+.2f}" for member, offset in sorted(body["offsets"].items()))
    minima = "one distinct minimum, and nothing can be told of relative spreads" if n == 1 else f"{n} distinct minima"
    return (
        f"offset spread {spread:.2f} eV: how far the members disagree about the adsorption energy as such, whichever the minimum "
        f"({each}; from {minima})"
    )


def lines(body: Mapping[str, Any]) -> list[str]:
    """All of it that there is, a sentence each."""
    minded = [f"mind: {caution}" for caution in body.get("cautions", ())]
    told = offset_spread(body)
    return [reference(body), *([SPREADS, told] if told else []), *minded]
