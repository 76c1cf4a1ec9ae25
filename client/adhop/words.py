"""What options hold, from the words of a command line. Raises AdhopError that names the option."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from adhop.errors import AdhopError


def number(text: str, option: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise AdhopError(f"{option} {text!r}: give a number such as 0.3") from None


def limit(text: str | None, option: str = "--limit") -> float | str | None:
    """Of the spread: eV, or `calibrated`."""
    return text if text is None or text == "calibrated" else number(text, option)


def names(given: str | Iterable[str] | None) -> list[str] | None:
    """Members, as a list or as a text, separated by commas or spaces."""
    if given is None or not isinstance(given, str):
        return None if given is None else [str(name) for name in given]
    return [word for word in re.split(r"[,\s]+", given) if word]


def indices(text: str | None, option: str) -> list[int] | None:
    """Indices of atoms, counted from 0: `0,1`, `0 1`, `12-15`."""
    if text is None:
        return None
    found: list[int] = []
    for word in re.split(r"[,\s]+", text.strip()):
        span = re.fullmatch(r"(\d+)(?:[-:](\d+))?", word)
        if span is None:
            raise AdhopError(f"{option} {text!r}: give atoms by their indices, counted from 0, such as 0,1 or 12-15")
        found += range(int(span[1]), int(span[2] or span[1]) + 1)
    return found


def pair(text: str, option: str, example: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise AdhopError(f"{option} {text!r}: give NAME=VALUE such as {example}")
    return name.strip(), value.strip()


def weights(texts: Iterable[str] | None) -> dict[str, float] | None:
    """MEMBER=NUMBER, each."""
    pairs = [pair(text, "--weight", "chgnet-0.3.0=2") for text in texts or ()]
    return {member: number(value, f"--weight {member}=") for member, value in pairs} or None


def parameters(file: Path | None, options: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any] | None:
    """What steers a job: a file's document, on top of it what options say by dotted name, and `--set` on top of both."""
    found = {} if file is None else _document(file)
    for name, value in options.items():
        if value is not None:
            _put(found, name, value, "--parameters")
    for text in settings:
        name, value = pair(text, "--set", "hopping.hops=20")
        _put(found, name, _typed(value), f"--set {text}")
    return found or None


def _document(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise AdhopError(f"{file} is no JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise AdhopError(f"{file} can't be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
    if not isinstance(found, dict):
        raise AdhopError(f'{file} holds no parameters: they are an object, such as {{"hopping": {{"hops": 20}}}}')
    return found


def _put(document: dict[str, Any], name: str, value: Any, told: str) -> None:
    *way, last = name.split(".")
    place = document
    for step in way:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            raise AdhopError(f"{told}: {step} is a value there, and nothing can be set in it")
    place[last] = value


def _typed(text: str) -> Any:
    """As JSON has it; what is none is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
