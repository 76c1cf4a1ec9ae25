"""What files of a job are called: a folder of downloads is of many jobs, and people know theirs by name."""

from __future__ import annotations

import re
from uuid import UUID

_LONGEST = 48
"""Characters of the name; what follows tells one job from another."""


def attachment(name: str) -> dict[str, str]:
    """The header that has an answer saved as a file of this name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def stem(name: str, job_id: UUID) -> str:
    """Its name in the characters that every file system and shell takes as they are, and how its id begins:
    `CO-on-Pt-1-1-1-4fe0a2bc`. name: as its user or the server gave it, in any script."""
    plain = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:_LONGEST].rstrip("-.")
    return "-".join(filter(None, [plain, job_id.hex[:8]]))
