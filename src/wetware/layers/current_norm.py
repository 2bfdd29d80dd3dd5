"""Norms of currents: how loud a token may be to the neurons that it drives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from wetware.config import Config
from wetware.kernels import rms_norm
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class CurrentNorm(Config):
    """A slot for what is done to the feed-forward currents c of a layer, over its N neurons at each token. Recurrent currents
    are left alone. The scale of the input weights no longer matters then: calibration scales g instead."""

    abstract: ClassVar[bool] = True

    def build(self, *, size: int) -> NormedCurrents:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class RMSCurrents(CurrentNorm):
    """``c_n <- g_n c_n / rms(c)``, g learned for each neuron: every token drives the layer equally hard, and which neurons it
    drives is all that it can say (Zhang and Sennrich, 2019; as lateral, divisive inhibition does)."""

    def build(self, *, size: int) -> NormedCurrents:
        return NormedCurrents(size)


@dataclass(frozen=True, kw_only=True)
class LayerNormCurrents(CurrentNorm):
    """``c_n <- g_n (c_n - mean(c)) / sd(c) + b_n``, g and b learned for each neuron: as :class:`RMSCurrents`, and at first the
    mean drive is 0 at every token (Ba, Kiros and Hinton, 2016)."""

    def build(self, *, size: int) -> NormedCurrents:
        return CentredCurrents(size)


class NormedCurrents(nn.Module):
    """See :class:`RMSCurrents`. [B, T, N] -> the same."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gain = parameter(size, draw=filled(1.0), role=NEURON)

    def forward(self, currents: Tensor) -> Tensor:
        return rms_norm(currents) * self.gain


class CentredCurrents(NormedCurrents):
    """See :class:`LayerNormCurrents`."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.bias = parameter(size, draw=filled(0.0), role=NEURON)

    def forward(self, currents: Tensor) -> Tensor:
        return functional.layer_norm(currents, currents.shape[-1:], self.gain, self.bias)
