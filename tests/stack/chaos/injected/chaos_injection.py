"""Patches that are laid over the product's modules as they are imported, so that nothing of them stands in the product.

A fault is armed by a file of its name in ADHOP_CHAOS_FOLDER, or `name@process` for one process alone; the file may hold an argument.
ADHOP_CHAOS_MUTANT names the mutants that are applied, separated by spaces.
"""

import importlib.util
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

Patch = Callable[[ModuleType], None]
FAULTS: list[tuple[str, Patch]] = []
MUTANTS: dict[str, tuple[str, Patch]] = {}


def over(module: str) -> Callable[[Patch], Patch]:
    """Lay a patch over a module."""

    def register(patch: Patch) -> Patch:
        FAULTS.append((module, patch))
        return patch

    return register


def mutant(module: str) -> Callable[[Patch], Patch]:
    """A patch that is applied only where its name is asked for."""

    def register(patch: Patch) -> Patch:
        MUTANTS[patch.__name__.replace("_", "-")] = (module, patch)
        return patch

    return register


class _AfterImport(MetaPathFinder):
    def __init__(self, patches: dict[str, list[Patch]]) -> None:
        self._patches = patches

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        patches = self._patches.pop(name, None)
        if patches is None:
            return None
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            for patch in patches:
                patch(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    if "ADHOP_CHAOS_FOLDER" not in os.environ:
        return
    import chaos_faults  # noqa: F401 - fills FAULTS
    import chaos_mutants  # noqa: F401 - fills MUTANTS

    patches: dict[str, list[Patch]] = defaultdict(list)
    for module, patch in FAULTS:
        patches[module].append(patch)
    for name in os.environ.get("ADHOP_CHAOS_MUTANT", "").split():
        module, patch = MUTANTS[name]
        patches[module].append(patch)
    sys.meta_path.insert(0, _AfterImport(patches))


def _folder() -> Path:
    return Path(os.environ["ADHOP_CHAOS_FOLDER"])


def armed(name: str) -> str | None:
    """The argument of an armed fault, empty where it has none; None where it isn't armed for this process."""
    for file in (name, f"{name}@{os.environ.get('ADHOP_CHAOS_PROCESS', '')}"):
        try:
            return (_folder() / file).read_text()
        except FileNotFoundError:
            continue
    return None


def strikes(name: str) -> bool:
    """Whether an armed fault strikes now; it strikes once, in one process."""
    for file in (name, f"{name}@{os.environ.get('ADHOP_CHAOS_PROCESS', '')}"):
        try:
            (_folder() / file).unlink()
        except FileNotFoundError:
            continue
        note(f"{name}-struck", os.getpid())
        return True
    return False


def note(name: str, text: object) -> None:
    """Tell the test something."""
    with (_folder() / name).open("a") as file:
        file.write(f"{text}\n")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def freeze() -> None:
    """Stop until somebody sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)
