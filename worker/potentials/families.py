"""The families of potentials: for each, the module that loads them and the environment that its package lives in.

To add a family:
1. Write a module here with `load(entry, *, device) -> Potential`. Its imports may be as heavy as it needs: it is imported when a
   member of the family is first loaded. Take the file from `identity.checkpoint(entry)`, which checks its SHA-256 before
   anything unpickles it.
2. Fill in the card truthfully: version, elements that it was trained on, whether its energy is a total or an OC20 adsorption
   energy.
3. On a CPU evaluate each structure in a forward of its own: the answer must not depend on batch-mates to the last bit
   (docs/decisions/0003). On a GPU batch, and turn the device's errors into ours; `forwards.hosted` does both, and refuses weights
   that lie elsewhere than asked for.
4. Add a row to the table below, and an entry to the administrator's file (or to members.toml, for weights that come in a wheel).
tests/worker/potentials compares every potential with its package's own calculator: give it that calculator.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from worker.potentials.elements import OC20

POTENTIALS, UMA, MACE = "potentials", "uma", "mace"
"""The worker environments, which exclude each other (docs/decisions/0004)."""


@dataclass(frozen=True)
class Family:
    """What the potentials of one architecture have in common."""

    title: str
    module: str
    """Under worker.potentials."""
    environment: str
    distribution: str
    """The installed package that it needs."""
    package: str
    """What that distribution is imported as."""
    major: str = ""
    """How the distribution's version starts."""
    in_wheel: bool = False
    """Whether checkpoints come inside the package."""
    checkpoint: bool = True
    """Whether there are any."""
    precisions: tuple[str, ...] = ("float32",)
    elements: frozenset[int] | None = None
    """Of registry entries that name none."""
    options: frozenset[str] = frozenset()
    """The names that an entry's options may have."""

    def absence(self) -> str | None:
        """Why this process can't load the family; None where its package is installed. Imports nothing."""
        try:
            found = version(self.distribution)
        except PackageNotFoundError:
            found = ""
        if found.startswith(self.major) and found:
            return None
        needed = f"{self.distribution} {self.major}x" if self.major else self.distribution
        there = f"this environment has {found}" if found else "this environment lacks it"
        return (
            f"{self.title} needs {needed}, and {there}: it belongs to a worker of the environment `{self.environment}`"
        )


def _oc20(title: str) -> Family:
    return Family(
        title,
        "oc20.potential",
        POTENTIALS,
        "fairchem-core",
        "fairchem",
        major="1.",
        elements=OC20,
        options=frozenset({"tf32"}),
    )


FAMILIES = {
    "emt": Family(
        "EMT",
        "emt",
        POTENTIALS,
        "ase",
        "ase",
        in_wheel=True,
        checkpoint=False,
        precisions=("float64",),
        options=frozenset({"file"}),
    ),
    "chgnet": Family(
        "CHGNet", "chgnet", POTENTIALS, "chgnet", "chgnet", in_wheel=True, options=frozenset({"file", "tf32"})
    ),
    "sevennet": Family(
        "SevenNet",
        "sevennet",
        POTENTIALS,
        "sevenn",
        "sevenn",
        in_wheel=True,
        options=frozenset({"file", "head", "tf32"}),
    ),
    "equiformer_v2": _oc20("EquiformerV2"),
    "gemnet_oc": _oc20("GemNet-OC"),
    "escn": _oc20("eSCN"),
    "mace": Family(
        "MACE",
        "mace",
        MACE,
        "mace-torch",
        "mace",
        precisions=("float32", "float64"),
        options=frozenset({"head", "tf32"}),
    ),
    "uma": Family(
        "UMA",
        "uma",
        UMA,
        "fairchem-core",
        "fairchem",
        major="2.",
        precisions=("float32", "float64"),
        elements=OC20,
        options=frozenset({"task_name", "tf32"}),
    ),
}
