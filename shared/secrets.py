"""Secrets kept out of what we write: API keys, and passwords of URLs and settings."""

from __future__ import annotations

import json
import re
import resource
from urllib.parse import unquote

_KEY = re.compile(r"(adhop_[0-9a-zA-Z]{1,16}_)[0-9a-zA-Z]{8,}")
_IN_URL = re.compile(r"(\w[\w+.-]*://[^\s:/@]*:)[^\s\"']+(?=@)")
_known: set[str] = set()
_SHORTEST = 6
"""Characters: a shorter one stands in too many words to be told from them."""


def remember(url: str) -> None:
    """The password of this URL is not to be written anywhere, in whatever words it comes."""
    found = re.match(r"\w[\w+.-]*://[^\s:/@]*:(.+)@", url)
    if found:
        spellings = (found[1], unquote(found[1]), json.dumps(unquote(found[1]))[1:-1])
        _known.update(one for one in spellings if len(one) >= _SHORTEST)


def masked(text: str) -> str:
    """The text with every secret in it covered. An API key's public prefix stays."""
    text = _IN_URL.sub(r"\1***", _KEY.sub(r"\1***", text))
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def no_core_dumps() -> None:
    """The memory of this process and of its children holds secrets, and is written to no file when one of them crashes. A limit of
    one byte keeps it from programs that collect such files too, for which the kernel takes zero for no limit."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    wanted = 0 if most == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (wanted, wanted))
