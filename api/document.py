"""`python -m api.document`: what the page's types are made of, as an OpenAPI document of the models alone (`make web-types`)."""

from __future__ import annotations

import json
import sys

from pydantic import SecretStr

from api.app import create_app
from shared.settings import Settings


def document() -> str:
    """The same text for the same API."""
    nowhere = Settings(
        database_url=SecretStr("postgresql://nobody@localhost/none"), broker_url=SecretStr("redis://localhost/0")
    )
    whole = create_app(nowhere).openapi()
    models = {"schemas": whole["components"]["schemas"]}
    return json.dumps({"openapi": whole["openapi"], "info": whole["info"], "paths": {}, "components": models}, indent=1)


if __name__ == "__main__":
    sys.stdout.write(document())
