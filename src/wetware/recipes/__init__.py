"""Recipes: one experiment a function, found by its name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from wetware.config import ConfigError, nearest

if TYPE_CHECKING:
    from wetware.training import Run


@cache
def _recipes() -> dict[str, Callable[[], Run]]:
    """Every public function of every module of this package that promises a Run."""
    found: dict[str, Callable[[], Run]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            if function.__module__ == loaded.__name__ and not name.startswith("_"):
                found[name] = function
    return found


def recipe_names() -> tuple[str, ...]:
    """The names of all recipes."""
    return tuple(sorted(_recipes()))


def recipe(name: str) -> Run:
    """The run of that name. Raises ConfigError, with the nearest guess, when there is none."""
    if name not in _recipes():
        raise ConfigError(f"no recipe {name!r}{nearest(name, recipe_names())}")
    return _recipes()[name]()


def about(name: str) -> str:
    """What a recipe is, in its author's words."""
    return inspect.getdoc(_recipes()[name]) or ""
