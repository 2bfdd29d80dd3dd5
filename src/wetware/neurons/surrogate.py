"""Surrogate gradients: what stands in for the derivative of the spike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from wetware.config import Config, number


@dataclass(frozen=True, kw_only=True)
class Surrogate(Config):
    """``ds/d pre = g(u) / width`` and ``ds/d threshold = -g(u) / width`` with ``g(u) = 1 / (1 + slope |u|)^2``.

    ``u = (pre - threshold) / width``. The peak of g is 1 and its mass 2 / slope: at the default of 2 the mass is 1, as that
    of the step it stands for. Steep slopes (25 is common elsewhere) carry twelve times less gradient.
    Zenke and Ganguli, SuperSpike, 2018; Neftci, Mostafa and Zenke, 2019.
    """

    abstract: ClassVar[bool] = True

    slope: float = number(2.0, 0.05, 100.0)

    def width(self, threshold: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FastSigmoid(Surrogate):
    """Width 1: distances from the threshold are measured in membrane units, whatever the threshold is."""

    def width(self, threshold: Tensor) -> Tensor:
        return threshold.detach().new_ones(threshold.shape)


@dataclass(frozen=True, kw_only=True)
class RelativeFastSigmoid(Surrogate):
    """Width = threshold: distances are measured in thresholds, so that every neuron learns over the same relative range.

    It also keeps the slope of the membrane's own recursion within [0, decay] at any threshold.
    """

    def width(self, threshold: Tensor) -> Tensor:
        return threshold.detach()
