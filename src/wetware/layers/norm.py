"""Norms of a spiking model's stream, and none: what stands between a stream and the neurons that it drives."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from wetware.config import Config
from wetware.kernels import rms_norm


@dataclass(frozen=True, kw_only=True)
class Norm(Config):
    """A slot for a norm without parameters."""

    abstract: ClassVar[bool] = True

    @abstractmethod
    def of(self, x: Tensor) -> Tensor:
        """``x`` [..., N], normalised."""


@dataclass(frozen=True, kw_only=True)
class RMSNorm(Norm):
    """Vectors of mean square 1 (Zhang and Sennrich, 2019). What drives a neuron then has the same size in every layer and all
    through training, so that thresholds stay where they mean something."""

    def of(self, x: Tensor) -> Tensor:
        return rms_norm(x)


@dataclass(frozen=True, kw_only=True)
class Unnormalised(Norm):
    """The control of :class:`RMSNorm`: the vector itself, however large it grows."""

    def of(self, x: Tensor) -> Tensor:
        return x
