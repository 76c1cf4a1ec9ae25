"""Which minima may be chosen, and what may be wrong with the others."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Anomaly(StrEnum):
    """What may have gone wrong in a relaxation (services.geometry.anomalies says when)."""

    DISSOCIATED = "dissociated"
    DESORBED = "desorbed"
    INTERCALATED = "intercalated"
    RECONSTRUCTED = "reconstructed"
    REACTED = "reacted"
    OVERLAPPING = "overlapping"


def is_sound(converged: bool, anomalies: Collection[str], *, include_anomalous: bool = False) -> bool:
    """Whether a minimum may be chosen: converged, and without anomaly unless anomalous ones are asked for.

    anomalies: their names, in a list or as one text. In SQL it is `Candidate.sound` (shared.database.tables.results); a test holds
    the two equal.
    """
    return converged and not spoils(anomalies, include_anomalous=include_anomalous)


def spoils(anomalies: Collection[str], *, include_anomalous: bool) -> bool:
    """Whether these anomalies keep a minimum from being chosen."""
    return bool(anomalies) and not include_anomalous
