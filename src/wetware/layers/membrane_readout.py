"""From the membranes of all layers to the logits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from wetware.config import Config
from wetware.kernels import rms_norm
from wetware.layers.linear import Linear
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class MembraneReadout(Config):
    """A slot for what makes logits of ``tanh(membrane)`` of all layers, in three steps: ``W features``, which a leaky readout
    may carry on; the ``hidden`` vector, at which traits stand; the logits, by the table of token vectors."""

    abstract: ClassVar[bool] = True

    def build(self, *, features: int, size: int, vocab_size: int) -> MembraneReader:
        raise NotImplementedError


class MembraneReader(nn.Module, Counted):
    """Calling it gives ``W features``: [B, T, features] -> [B, T, size]."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.out = Linear(features, size)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """The readout multiplies: membranes are real numbers. The table is its owner's to tell."""
        size, features = self.out.weight.shape
        yield Operation("out", features, size, weights=(self.out.weight,))

    def forward(self, features: Tensor) -> Tensor:
        return self.out(features)

    @abstractmethod
    def hidden(self, z: Tensor) -> Tensor:
        """What traits and the table meet, of what was read [B, T, size]."""

    @abstractmethod
    def logits(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Of vectors [..., size], by ``table`` [V, size]."""


@dataclass(frozen=True, kw_only=True)
class NormalisedReadout(MembraneReadout):
    """``hidden = rms_norm(W f),  logits = scale * rms_norm(hidden) E^T``. ``scale`` is learned; it starts where the first loss
    is that of a uniform guess, within a per cent."""

    def build(self, *, features: int, size: int, vocab_size: int) -> MembraneReader:
        return _Normalised(features, size)


class _Normalised(MembraneReader):
    def __init__(self, features: int, size: int) -> None:
        super().__init__(features, size)
        self.scale = parameter(1, draw=filled(0.5), role=NEURON)

    def hidden(self, z: Tensor) -> Tensor:
        return rms_norm(z)

    def logits(self, hidden: Tensor, table: Tensor) -> Tensor:
        return rms_norm(hidden) * self.scale @ table.T


@dataclass(frozen=True, kw_only=True)
class PlainReadout(MembraneReadout):
    """``hidden = W f + bias,  logits = hidden E^T + output_bias``: the readout of Byrne's SpikeWhale-SNN (2026). How sure the
    model is then rests on the sizes of W and E."""

    def build(self, *, features: int, size: int, vocab_size: int) -> MembraneReader:
        return _Plain(features, size, vocab_size)


class _Plain(MembraneReader):
    def __init__(self, features: int, size: int, vocab_size: int) -> None:
        super().__init__(features, size)
        self.bias = parameter(size, draw=filled(0.0), role=NEURON)
        self.output_bias = parameter(vocab_size, draw=filled(0.0), role=NEURON)

    def hidden(self, z: Tensor) -> Tensor:
        return z + self.bias

    def logits(self, hidden: Tensor, table: Tensor) -> Tensor:
        return hidden @ table.T + self.output_bias
