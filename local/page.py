"""The page of the service that is up, and a link that signs its user in, once."""

from __future__ import annotations

from pathlib import Path

import httpx

from local.service import Running
from shared import private_files
from shared.child import StartError


def sign_in_link(found: Running) -> str:
    """Address of the page, with a token behind the `#`: it works once, within 15 minutes. Raises StartError."""
    key = private_files.read_secret(Path(found.key_file))
    try:
        answer = httpx.post(
            f"{found.url}/v1/me/sign-in-link", headers={"Authorization": f"Bearer {key}"}, timeout=30
        ).raise_for_status()
    except httpx.HTTPError as error:
        raise StartError(f"no sign-in link could be had from {found.url}: {error}") from None
    return f"{found.url}{answer.json()['path']}"
