"""Derived: what is made of parameters alone, once for as long as nobody changes them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any

from torch import nn

_made: ContextVar[dict[tuple[int, str], Any] | None] = ContextVar("made", default=None)


@contextlib.contextmanager
def unchanged(made: dict[tuple[int, str], Any]) -> Generator[None]:
    """While this is held nobody changes a parameter, so that what :func:`made_once` makes of parameters alone is made once and
    kept in ``made``, which belongs to one model."""
    token = _made.set(made)
    try:
        yield
    finally:
        _made.reset(token)


def made_once(owner: nn.Module, name: str, make: Callable[[], Any]) -> Any:
    """``make()``, which must depend on the parameters of ``owner`` alone; within :func:`unchanged` made once for each name.
    Where one token is a chunk, deriving the rates of a layer anew costs as much as using them."""
    made = _made.get()
    if made is None:
        return make()
    key = id(owner), name
    if key not in made:
        made[key] = make()
    return made[key]
