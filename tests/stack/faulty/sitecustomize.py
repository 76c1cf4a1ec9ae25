"""Found by every Python process that has this folder on PYTHONPATH: adds the family `faulty` to the workers under test."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("worker") is not None:
    import worker.potentials
    from worker.potentials import families

    worker.potentials.__path__.append(str(Path(__file__).parent))
    families.FAMILIES["faulty"] = families.Family("Faulty", "faulty", "potentials", "ase", "ase")
    sys.modules.pop("sitecustomize", None)
