"""The registry: which members there are. Those whose weights come in a wheel, and those of the administrator's file.

Published checkpoints that nobody fetched yet are known by name and address, and are no members until they are in that file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

from services.forces.potential import EnergyKind, Potential
from shared.errors import InvalidInput, Misconfigured
from shared.scales import Scale, ScaleKind
from worker.potentials import faults, identity, members_file, references_file
from worker.potentials.entry import RegistryEntry
from worker.potentials.families import FAMILIES
from worker.potentials.members_file import MemberTable

SHIPPED = Path(__file__).with_name("members.toml")


@dataclass(frozen=True)
class Registry:
    """The members that there are, and those that there could be."""

    entries: Mapping[str, RegistryEntry]
    """By the member's name."""
    published: Mapping[str, MemberTable]
    """Checkpoints that may be fetched, by the name their member gets."""

    def __getitem__(self, name: str) -> RegistryEntry:
        """Raises InvalidInput for a name that isn't there, with what to do."""
        if name in self.entries:
            return self.entries[name]
        if name in self.published:
            raise InvalidInput(
                f"{name} is published, but its checkpoint is not here: `python -m worker.models fetch {name}` gets it",
                field="members",
            )
        raise InvalidInput(f"no member is called {name!r}; known are {', '.join(self.entries)}", field="members")


class _Module(Protocol):
    def load(self, entry: RegistryEntry, *, device: str) -> Potential: ...


@lru_cache(maxsize=1)
def shipped() -> Registry:
    """What comes with the project, members.toml."""
    members, scales = members_file.read(SHIPPED), references_file.read(references_file.SHIPPED)
    here = [member.entry(SHIPPED.parent) for member in members if member.address is None]
    return Registry(
        entries=_frozen(_referenced(entry, scales.get(entry.name)) for entry in here),
        published=MappingProxyType({member.name: member for member in members if member.address is not None}),
    )


def read(file: Path | None, *, site_references: bool = True) -> Registry:
    """The whole registry; file: the administrator's, None or absent where there is none. site_references: whether the site's
    references beside it are read too, which whoever replaces them needn't. Raises Misconfigured."""
    own = members_file.read(file) if file is not None and file.exists() else []
    known = shipped()
    for member in own:
        if member.name in known.entries:
            raise Misconfigured(
                f"{file}: {member.name} is the name of a member that comes with Adhop; take another one"
            )
        if member.path is None and member.address is not None:
            raise Misconfigured(f"{file}: member {member.name}: path is missing; an address alone is no checkpoint")
    folder = Path() if file is None else file.absolute().parent
    theirs = {} if file is None or not site_references else references_file.read(references_file.beside(file))
    entries = [*known.entries.values(), *(member.entry(folder) for member in own)]
    if strange := sorted(theirs.keys() - {entry.name for entry in entries}):
        where = references_file.beside(Path(file or ""))
        raise Misconfigured(f"{where}: {', '.join(strange)}: there is no such member; add it, or leave its table out")
    return Registry(
        entries=_frozen(_referenced(entry, theirs.get(entry.name)) for entry in entries),
        published=known.published,
    )


def _referenced(entry: RegistryEntry, scale: Scale | None) -> RegistryEntry:
    """The entry with the site's references, where there are any. Raises Misconfigured where they are of another checkpoint, or of
    none that this member could have."""
    if scale is None:
        return entry
    if (entry.energy_kind is EnergyKind.ADSORPTION) is not (scale.kind is ScaleKind.PREDICTED):
        raise Misconfigured(
            f"the references of {entry.name} are of the kind `{scale.kind}`, and its energy is {entry.energy_kind}: "
            f"`{ScaleKind.PREDICTED}` is for members that predict adsorption energies, and for them alone"
        )
    if scale.fit is not None and entry.sha256 and scale.fit.checkpoint != entry.sha256:
        raise Misconfigured(
            f"the references of {entry.name} were fitted with another checkpoint, SHA-256 {scale.fit.checkpoint}: fit them anew "
            f"with `python -m worker.models fit`, or leave them out"
        )
    return replace(entry, references=scale)


def names() -> tuple[str, ...]:
    """Names of the members that need no file."""
    return tuple(shipped().entries)


def load(member: str | RegistryEntry, *, device: str = "cpu") -> Potential:
    """The member's potential, on `device` ("cpu" or "cuda"). member: its entry, or the name of one that needs no file.

    Raises InvalidInput for a name that isn't in `names()`, Misconfigured where its package or its file isn't here or it may not run
    on this device, MachineryFailure for a file that isn't the registered one, OutOfMemory, and DeviceFault.
    """
    entry = shipped()[member] if isinstance(member, str) else member
    family = FAMILIES[entry.family]
    if reason := absence(entry, device):
        raise Misconfigured(f"{entry.name} can't be loaded: {reason}")
    with faults.translated():
        module = cast("_Module", import_module(f"worker.potentials.{family.module}"))
        with identity.unchanged(entry):
            return module.load(entry, device=device)


def absence(entry: RegistryEntry, device: str) -> str | None:
    """Why this process can't host the member on this kind of device; None where it can. Imports nothing, hashes nothing."""
    if device not in entry.limits.devices:
        return f"its entry allows {' and '.join(sorted(entry.limits.devices))}, and this worker runs on {device}"
    if entry.path is not None and not entry.path.is_file():
        return f"its file {entry.path} isn't there"
    return FAMILIES[entry.family].absence()


def _frozen(entries: Iterable[RegistryEntry]) -> Mapping[str, RegistryEntry]:
    return MappingProxyType({entry.name: entry for entry in entries})
