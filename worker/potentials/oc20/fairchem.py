"""fairchem-core 1.x as this project uses it, imported once and in the one order that works: torch_geometric, the stand-in, fairchem.

Only the modules of the three networks are imported; fairchem's own set-up imports every model it has, and takes over the logging of
the whole process.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.potentials.oc20 import stand_in

with warnings.catch_warnings():
    # torch deprecates what these versions of e3nn and fairchem use: torch.jit.script, torch.cuda.amp
    warnings.simplefilter("ignore")
    stand_in.install()
    import fairchem.core
    from fairchem.core.common.registry import registry
    from fairchem.core.common.utils import get_pbc_distances, update_config
    from fairchem.core.datasets import data_list_collater
    from fairchem.core.models.base import GraphData
    from fairchem.core.models.equiformer_v2 import equiformer_v2, equiformer_v2_deprecated
    from fairchem.core.models.equiformer_v2.heads import scalar, vector
    from fairchem.core.models.equiformer_v2.trainers import forces_trainer
    from fairchem.core.models.escn import escn
    from fairchem.core.models.gemnet_oc import gemnet_oc
    from fairchem.core.trainers import ocp_trainer
    from torch_geometric.data import Data

__all__ = [
    "Data",
    "GraphData",
    "data_list_collater",
    "get_pbc_distances",
    "quiet",
    "registry",
    "update_config",
]

# Imported for what they enter into fairchem's registry.
_REGISTERED = (
    equiformer_v2,
    equiformer_v2_deprecated,
    scalar,
    vector,
    forces_trainer,
    escn,
    gemnet_oc,
    ocp_trainer,
)
_HOME = str(Path(fairchem.core.__path__[0]))


@contextmanager
def quiet() -> Iterator[None]:
    """fairchem speaks through the root logger (its whole configuration, remarks on old layouts) and uses deprecated names of torch;
    inside this its errors alone are logged."""

    def ours(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or not record.pathname.startswith(_HOME)

    root = logging.getLogger()
    root.addFilter(ours)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*torch\.cuda\.amp", category=FutureWarning)
            warnings.filterwarnings("ignore", message=r"To copy construct from a tensor", category=UserWarning)
            yield
    finally:
        root.removeFilter(ours)
