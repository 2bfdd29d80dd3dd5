"""Normalised input: what keeps a slow neuron from being driven harder than a fast one.

The leaky sum ``v = decay * v + I`` amplifies: a constant by ``1 / (1 - decay)``, white noise of variance 1 to variance
``1 / (1 - decay^2)``. Without a factor on the input, learning a decay also turns the drive and the firing rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from wetware.config import Config


@dataclass(frozen=True, kw_only=True)
class InputNormalisation(Config):
    """A factor on the feed-forward current that depends on the decay."""

    abstract: ClassVar[bool] = True

    def factor(self, decay: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class VariancePreserving(InputNormalisation):
    """``sqrt(1 - decay^2)``: white input of variance 1 gives a membrane of variance 1."""

    def factor(self, decay: Tensor) -> Tensor:
        # A learned decay may round to 1, where the root has no finite slope.
        return (1.0 - decay.square()).clamp_min(1e-8).sqrt()


@dataclass(frozen=True, kw_only=True)
class MeanPreserving(InputNormalisation):
    """``1 - decay``: constant input gives a membrane of the same value (an exponential average)."""

    def factor(self, decay: Tensor) -> Tensor:
        return 1.0 - decay
