"""Block outputs: what a spiking block hands on to the next, on a stream that goes past its neurons or through them alone."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wetware.config import Config


@dataclass(frozen=True, kw_only=True)
class BlockOutput(Config):
    """A slot for what a block makes of its spikes s and of the stream x that came in. g: its gate, 1 without one. projects:
    whether the spikes go through ``W_out`` first."""

    abstract: ClassVar[bool] = True
    projects: ClassVar[bool] = True

    @abstractmethod
    def under(self, x: Tensor) -> Tensor:
        """What the gated update is added to."""


@dataclass(frozen=True, kw_only=True)
class ResidualOutput(BlockOutput):
    """``y = x + g W_out s``: the stream goes past the neurons. Gradients reach the first layers whatever fires."""

    def under(self, x: Tensor) -> Tensor:
        return x


@dataclass(frozen=True, kw_only=True)
class ProjectedOutput(BlockOutput):
    """``y = g W_out s``, the control of :class:`ResidualOutput`: as many weights, and everything goes through the spikes."""

    def under(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


@dataclass(frozen=True, kw_only=True)
class SpikeOutput(BlockOutput):
    """``y = g s``: the spikes themselves drive the next block, as in a plain stack of spiking layers."""

    projects: ClassVar[bool] = False

    def under(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)
