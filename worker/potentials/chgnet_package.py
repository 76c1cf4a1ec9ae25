"""CHGNet's package as this project uses it, imported once.

It imports NVIDIA's library under the name that a package of 2019 has for it, nvidia_smi. That package isn't installed: it
would overwrite the library, pynvml, with its own of that year.
"""

from __future__ import annotations

import sys

import pynvml

sys.modules.setdefault("nvidia_smi", pynvml)

from chgnet import __version__  # noqa: E402
from chgnet.graph.crystalgraph import CrystalGraph  # noqa: E402
from chgnet.model.model import BatchedGraph, CHGNet  # noqa: E402

__all__ = ["BatchedGraph", "CHGNet", "CrystalGraph", "__version__"]
