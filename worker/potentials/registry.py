"""The members this code base knows, by name; the model package is imported only when one of its members is loaded.

To add a member:
1. Write a module here with `load(name, *, device, models_dir) -> Potential`. Its imports may be as heavy as it needs.
2. Fill in the card truthfully: the checkpoint's own version and SHA-256, the elements it was trained on, and whether
   its energy is a total or an OC20 adsorption energy. Results are filed under name and checksum.
3. On a CPU evaluate each structure in a forward of its own: the answer must not depend on batch-mates to the last bit
   (docs/decisions/0003). On a GPU batch, and turn the device's out-of-memory error into `shared.errors.OutOfMemory`.
4. Add the name below. tests/worker/potentials/test_pretrained.py takes it from here; give it the package's own
   calculator to compare with.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from services.potential import Potential
from shared.errors import InvalidInput

_MODULES = {
    "emt": "worker.potentials.emt",
    "chgnet-0.3.0": "worker.potentials.chgnet",
    "chgnet-r2scan": "worker.potentials.chgnet",
    "sevennet-0": "worker.potentials.sevennet",
}


class _Loader(Protocol):
    def __call__(self, name: str, *, device: str, models_dir: Path | None) -> Potential: ...


def names() -> tuple[str, ...]:
    """Names of the members that `load` accepts."""
    return tuple(_MODULES)


def load(name: str, *, device: str = "cpu", models_dir: Path | None = None) -> Potential:
    """The member, resident on `device` ("cpu" or "cuda"). models_dir: folder of checkpoints that come in no wheel.

    Raises InvalidInput for a name that isn't in `names()`.
    """
    if name not in _MODULES:
        raise InvalidInput(f"no member is called {name!r}; known are {', '.join(names())}", field="members")
    loader = cast("_Loader", import_module(_MODULES[name]).load)
    return loader(name, device=device, models_dir=models_dir)
