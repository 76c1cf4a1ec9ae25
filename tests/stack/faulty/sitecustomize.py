"""Found by every Python process that has this folder on PYTHONPATH: adds the family `faulty` to the workers under test, and stands in
for the answers of NVIDIA's management library where NVML_DEVICES names a file with them.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("worker") is not None:
    import worker.potentials
    from worker.potentials import families

    worker.potentials.__path__.append(str(Path(__file__).parent))
    families.FAMILIES["faulty"] = families.Family("Faulty", "faulty", "potentials", "ase", "ase")
    sys.modules.pop("sitecustomize", None)

if os.environ.get("NVML_DEVICES"):
    from types import SimpleNamespace

    import pynvml

    def _devices():
        return json.loads(Path(os.environ["NVML_DEVICES"]).read_text())

    pynvml.nvmlInit = pynvml.nvmlShutdown = lambda: None
    pynvml.nvmlDeviceGetCount = lambda: len(_devices())
    pynvml.nvmlDeviceGetHandleByIndex = lambda index: _devices()[index]
    pynvml.nvmlDeviceGetUUID = lambda device: device["uuid"]
    pynvml.nvmlDeviceGetName = lambda device: "Stand-in"
    pynvml.nvmlDeviceGetMemoryInfo = lambda device: SimpleNamespace(total=80 * 2**30, free=device["free_gib"] * 2**30)
    pynvml.nvmlDeviceGetHandleByUUID = lambda uuid: next(one for one in _devices() if one["uuid"] == uuid)
    pynvml.nvmlDeviceGetIndex = lambda device: _devices().index(device)
    pynvml.nvmlDeviceGetMigMode = lambda device: [0, 0]
    pynvml.nvmlSystemGetCudaDriverVersion = lambda: 13000
    pynvml.nvmlDeviceGetCudaComputeCapability = lambda device: (9, 0)
