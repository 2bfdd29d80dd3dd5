"""Matched parameters: what is compared has the same number of them, as nearly as its width allows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import torch

from wetware.config import ConfigError
from wetware.models import ModelConfig

STEP = 4  # widths are multiples of this
CLOSE = 0.005  # a difference this small is left alone


@cache
def parameters(config: ModelConfig) -> int:
    """The number of parameters of the model that ``config`` describes."""
    with torch.device("meta"):  # shapes without memory
        return config.module().parameter_count()


def matched(config: Any, target: int) -> Any:
    """``config`` with the width, a multiple of 4, at which it has the number of parameters nearest to ``target``; as it is
    when it is within half a per cent."""
    if abs(parameters(config) - target) <= CLOSE * target:
        return config
    low, high = 1, 2
    while parameters(_at(config, high)) < target:
        high *= 2
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(_at(config, middle)) < target else (low, middle)
    return min((_at(config, low), _at(config, high)), key=lambda made: abs(parameters(made) - target))


def _at(config: Any, units: int) -> Any:
    """``config`` at a width of ``units`` steps, or at the next wider one that the model allows."""
    for wider in range(units, units + 64):
        try:
            return replace(config, width=wider * STEP)
        except ConfigError:
            continue
    raise ConfigError(f"{type(config).__name__}: no width near {units * STEP} is allowed")
