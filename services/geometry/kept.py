"""What was computed of structures lately, kept by their content: a job asks about one clean slab and a few placements all the time,
and each hop brings them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from shared.structures import Structure

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class _Content:
    """A structure that equals any other with the same content, to the last bit."""

    digest: str
    structure: Structure = field(compare=False)


def by_content(size: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep the last `size` answers of a function of structures and hashable values, given in their order. What it returns is shared:
    it must not be changed."""

    def keeping(function: Callable[P, T]) -> Callable[P, T]:
        def restored(*args: Any) -> T:
            plain: Callable[..., T] = function
            return plain(*(one.structure if isinstance(one, _Content) else one for one in args))

        kept: Callable[..., T] = lru_cache(maxsize=size)(restored)

        @wraps(function)
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            return kept(*map(_key, [*args, *kwargs.values()]))

        return asked

    return keeping


def _key(value: object) -> object:
    return _Content(value.digest, value) if isinstance(value, Structure) else value
