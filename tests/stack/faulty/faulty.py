"""EMT on a device that breaks on demand: its checkpoint is a folder's file, and files beside it say what goes wrong.

`fault`: the next forward of more than the canary's one structure reports a sticky error. `small`: no more atoms than the number in it
fit a forward.
"""

from services.forces.potential import EnergyKind
from shared.errors import DeviceFault, OutOfMemory
from worker.potentials import registry
from worker.potentials.identity import checkpoint


def load(entry, *, device):
    folder = checkpoint(entry).parent
    with (folder / "loads").open("a") as log:
        log.write(f"{entry.name}\n")
    return _Faulty(entry, folder)


class _Faulty:
    def __init__(self, entry, folder):
        from dataclasses import replace

        self._emt = registry.load("emt")
        self._folder = folder
        self.card = replace(
            self._emt.card, name=entry.name, family="Faulty", sha256=entry.sha256, energy_kind=EnergyKind.TOTAL
        )

    def evaluate(self, structures):
        if (self._folder / "fault").exists() and len(structures) > 1:
            (self._folder / "fault").unlink()
            raise DeviceFault("CUDA error: device-side assert triggered")
        small = self._folder / "small"
        if small.exists() and len(structures) > 1 and sum(map(len, structures)) > int(small.read_text()):
            raise OutOfMemory("CUDA out of memory")
        return self._emt.evaluate(structures)
