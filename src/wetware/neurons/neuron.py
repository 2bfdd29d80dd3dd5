"""What every neuron is: parameters that may be modulated, a state, and a walk along time."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from wetware.config import Config
from wetware.state import State


class NeuronParams(NamedTuple):
    """The parameters of a layer of neurons that a modulator may change, each [N]; a gain may be [B, N], each
    sequence's own.

    decay: fraction of the membrane kept per token, in (0, 1). threshold: membrane units, > 0. gain: factor on the
    feed-forward current.
    """

    decay: Tensor
    threshold: Tensor
    gain: Tensor


class Activity(NamedTuple):
    """What a layer of neurons did, each [B, T, N]: what it sent, and the membrane before its reset.

    spikes: 0 and 1; from graded neurons anything in [0, 1], of which at least 1/2 stands for a spike.
    """

    spikes: Tensor
    membrane: Tensor


@dataclass(frozen=True, kw_only=True)
class NeuronConfig(Config):
    """A slot for a neuron."""

    abstract: ClassVar[bool] = True

    def build(self, *, size: int) -> Neuron:
        raise NotImplementedError


class Neuron(nn.Module):
    """A layer of ``size`` neurons. binary: whether what they send is 0 or 1, so that what does not fire costs nothing."""

    size: int
    binary: bool = True

    @abstractmethod
    def init_state(self, batch: int) -> State:
        """The state of ``batch`` sequences that have seen nothing."""

    @abstractmethod
    def params(self) -> NeuronParams:
        """The parameters before any modulation."""

    @abstractmethod
    def forward(
        self, current: Tensor, state: Any, params: NeuronParams, recurrent: Tensor | None, keep: Tensor | None
    ) -> tuple[Activity, State]:
        """Walk ``current`` [B, T, N]; ``recurrent`` [N, N] (row = presynaptic), ``keep`` [B, T] (0 forgets the state)."""
