"""Measures, one a file. Every ``Measure`` defined in a file of this folder is found by itself."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from wetware.config import ConfigError, kinds, nearest, snake
from wetware.evaluation.measure import Measure


@cache
def measures() -> dict[str, type[Measure]]:
    """Every measure of the package by name (``MemoryHorizon`` is ``memory_horizon``), in the order of their files."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    order = {module.__name__: place for place, module in enumerate(modules)}
    found = [kind for kind in kinds(Measure).values() if issubclass(kind, Measure) and kind.__module__ in order]
    return {snake(kind.__name__): kind for kind in sorted(found, key=lambda kind: order[kind.__module__])}


def measure(name: str) -> type[Measure]:
    """The measure of that name. Raises ConfigError, with the nearest guess, when there is none."""
    if name not in measures():
        raise ConfigError(f"no measure {name!r}{nearest(name, measures())}")
    return measures()[name]
