"""What the service of this machine hosts, and the settings that its processes get: those of the environment, ADHOP_..."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from shared.child import StartError
from shared.settings import Settings, reason, variable

MEMBERS = ("chgnet-0.3.0", "sevennet-mf-0-pbe", "sevennet-l3i5")
"""Where ADHOP_MEMBERS names none."""
_GIB = 1024**3
_MEMORY_PER_WORKER = 3 * _GIB
_PREFIX = "ADHOP_"
_OF_THE_STACK = frozenset({"database_url", "broker_url", "port", "members", "cpu_workers", "run_dir"})
"""Settings that the stack gives each process itself."""
_OF_CLIENTS = frozenset({"ADHOP_URL", "ADHOP_KEY", "ADHOP_KEY_FILE", "ADHOP_PORT"})


class _Given(Settings):
    """Settings from what is passed alone, whatever the environment holds."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True)
class Hosting:
    """What is started, and with which settings."""

    members: tuple[str, ...]
    workers: int
    """Potentials workers, where there is no CUDA device."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """ADHOP_... of every process, besides what the stack itself decides."""
    named: bool = False
    """Whether ADHOP_MEMBERS named the members."""
    unknown: tuple[str, ...] = ()
    """Variables that look like settings and are none."""


def asked(environment: Mapping[str, str] | None = None) -> Hosting:
    """What the environment asks for. Jobs that name no members get those that are hosted, unless ADHOP_DEFAULT_SEARCH_MEMBERS and
    ADHOP_DEFAULT_SCORE_MEMBERS say otherwise. Raises StartError, with the variable that is wrong."""
    own = {
        name: value
        for name, value in (os.environ if environment is None else environment).items()
        if name.startswith(_PREFIX) and value.strip()
    }
    known = {variable(name): name for name in Settings.model_fields}
    given = {known[name]: value for name, value in own.items() if name in known and known[name] not in _OF_THE_STACK}
    numbers = {name: own[variable(name)] for name in ("members", "cpu_workers") if variable(name) in own}
    read = _settings(given | numbers)
    members = read.members or MEMBERS
    if read.members:
        given.setdefault("default_search_members", ",".join(_searching(members, read.default_search_members)))
        given.setdefault("default_score_members", ",".join(members))
    _refuse_absent(_settings(given), members)
    return Hosting(
        members=members,
        workers=read.cpu_workers if "cpu_workers" in numbers else workers_here(),
        settings={variable(name): value for name, value in given.items()},
        named=bool(read.members),
        unknown=tuple(sorted(own.keys() - known.keys() - _OF_CLIENTS)),
    )


def workers_here(cores: int | None = None, memory: int | None = None) -> int:
    """How many potentials workers this machine carries without a GPU: one a core, two at most, 3 GiB each."""
    cores = os.cpu_count() or 1 if cores is None else cores
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if memory is None else memory
    return max(1, min(2, cores, memory // _MEMORY_PER_WORKER))


def _settings(values: Mapping[str, str]) -> Settings:
    """As each process will read them. Raises StartError."""
    given: dict[str, object] = {"database_url": "postgresql://the-stack/s", "broker_url": "redis://own", **values}
    try:
        return _Given.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0])
        raise StartError(f"{variable(name)}={values[name]!r}: {reason(wrong['msg'])}") from None


def _searching(members: tuple[str, ...], usual: tuple[str, ...]) -> tuple[str, ...]:
    """The usual ones that are hosted; where none is, all that are."""
    return tuple(member for member in members if member in usual) or members


def _refuse_absent(settings: Settings, members: tuple[str, ...]) -> None:
    for name in ("default_search_members", "default_score_members"):
        absent = [member for member in getattr(settings, name) if member not in members]
        if absent:
            raise StartError(
                f"{variable(name)} names {', '.join(absent)}, and no worker would host it: ADHOP_MEMBERS is "
                f"{','.join(members)}"
            )
