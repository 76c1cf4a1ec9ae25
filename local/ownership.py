"""Folders of the local stack: for the eyes of the account that runs it."""

from __future__ import annotations

import os
from pathlib import Path

from shared import private_files


def own_folder(path: Path) -> Path:
    """The folder, made where it is missing. Root's can be walked through, as PostgreSQL must, which runs under another account there;
    nobody else sees what lies in it. Raises Misconfigured where somebody else could change it."""
    return private_files.folder(path, passable=os.geteuid() == 0)
