"""Found by every Python process that has this folder on PYTHONPATH: adds the family `sleeping` to its workers."""

import os
from importlib.util import find_spec
from pathlib import Path

if os.environ.get("SLEEPING_LOG") and find_spec("worker") is not None:
    import worker.potentials
    from worker.potentials import families

    worker.potentials.__path__.append(str(Path(__file__).parent))
    families.FAMILIES["sleeping"] = families.Family(
        "Sleeping", "sleeping_device", "potentials", "ase", "ase", options=frozenset({"base_ms", "atom_us"})
    )
