"""The process that parses: it has little memory, little time, no files to write, and nothing worth taking.

Messages are JSON: {"format", "text", "max_atoms"} in; {"structure"} or {"error", "spent"?} out. `spent` means that the
process ran out of memory and ends.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from api.parsing.readers import document
from shared.errors import InvalidInput

MEMORY_BYTES = 400_000_000
"""What parsing may use beyond the process's own size at rest."""
CPU_S = 2
"""Processor seconds per text: the backstop of the parent's clock."""

_WARM_UP = {
    "extxyz": '1\nLattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3:tags:I:1:move_mask:L:1 pbc="T T T"\n'
    "Pt 0 0 0 1 T\n",
    "poscar": "Pt\n1.0\n5 0 0\n0 5 0\n0 0 5\nPt\n1\nCartesian\n0 0 0\n",
    "cif": "data_x\n_cell_length_a 5\n_cell_length_b 5\n_cell_length_c 5\n_cell_angle_alpha 90\n_cell_angle_beta 90\n"
    "_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\nloop_\n_atom_site_label\n_atom_site_fract_x\n"
    "_atom_site_fract_y\n_atom_site_fract_z\nPt 0 0 0\n",
    "ase-json": '{"numbers": [78], "positions": [[0, 0, 0]], "cell": [[5, 0, 0], [0, 5, 0], [0, 0, 5]]}',
}


def serve(connection: Connection) -> None:
    """Answer texts until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    warnings.simplefilter("ignore")
    for form, text in _WARM_UP.items():
        document(form, text, 10)
    os.chdir("/")
    _confine()
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        _grant_cpu()
        answer = _answer(request)
        connection.send_bytes(json.dumps(answer).encode())
        if answer.get("spent"):
            return


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"structure": document(request["format"], request["text"], request["max_atoms"])}
    except InvalidInput as refusal:
        return {"error": str(refusal)}
    except MemoryError:
        return {"error": "reading the text takes too much memory", "spent": True}


def _confine() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    if pages is not None:
        size = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _grant_cpu() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + CPU_S, hard))
