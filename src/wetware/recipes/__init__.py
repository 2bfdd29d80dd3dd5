"""Recipes: one experiment a function, found by its name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from wetware.config import ConfigError, nearest

if TYPE_CHECKING:
    from wetware.evaluation.study import Study
    from wetware.tagging import TagRun
    from wetware.training import Run


@cache
def _functions() -> dict[str, Callable[[], Any]]:
    """Every public function of every module of this package."""
    found: dict[str, Callable[[], Any]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            if function.__module__ == loaded.__name__ and not name.startswith("_"):
                found[name] = function
    return found


def _promising(kind: str) -> dict[str, Callable[[], Any]]:
    """Those that promise a ``kind``: what a function returns is written at its head."""
    return {name: function for name, function in _functions().items() if function.__annotations__["return"] == kind}


def recipe_names() -> tuple[str, ...]:
    """The names of all recipes."""
    return tuple(sorted(_promising("Run")))


def study_names() -> tuple[str, ...]:
    """The names of all studies."""
    return tuple(sorted(_promising("Study")))


def recipe(name: str) -> Run:
    """The run of that name. Raises ConfigError, with the nearest guess, when there is none."""
    if name not in recipe_names():
        raise ConfigError(f"no recipe {name!r}{nearest(name, recipe_names())}")
    return _functions()[name]()


def study(name: str) -> Study:
    """The study of that name; a recipe's name stands for the question what each of its mechanisms is worth."""
    if name in study_names():
        return _functions()[name]()
    if name not in recipe_names():
        raise ConfigError(f"no study and no recipe {name!r}{nearest(name, (*study_names(), *recipe_names()))}")
    from wetware.evaluation.study import Study

    return Study(run=recipe(name), question=f"What is each mechanism of {name} worth?")


def tagging_recipe_names() -> tuple[str, ...]:
    """The names of all recipes for taggers."""
    return tuple(sorted(_promising("TagRun")))


def tagging_recipe(name: str) -> TagRun:
    """The run of that name. Raises ConfigError, with the nearest guess, when there is none."""
    if name not in tagging_recipe_names():
        raise ConfigError(f"no recipe for a tagger {name!r}{nearest(name, tagging_recipe_names())}")
    return _functions()[name]()


def about(name: str) -> str:
    """What a recipe or a study is, in its author's words."""
    return inspect.getdoc(_functions()[name]) or ""
