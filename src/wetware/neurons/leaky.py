"""Leaky neurons: what they have in common, whatever they send when their membrane reaches the threshold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from wetware.config import Config, ConfigError, number
from wetware.kernels import Op
from wetware.kernels.lif_scan import LIFState
from wetware.neurons.integrator import shared
from wetware.neurons.neuron import Activity, Neuron, NeuronConfig, NeuronParams
from wetware.neurons.normalise import InputNormalisation, VariancePreserving
from wetware.neurons.reset import DetachedReset, Reset
from wetware.neurons.surrogate import RelativeFastSigmoid, Surrogate
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, Draw, constant, filled, log_spaced_decays, parameter, through
from wetware.state import tree_map


@dataclass(frozen=True, kw_only=True)
class DecayStart(Config):
    """Where the decays of a layer start."""

    abstract: ClassVar[bool] = True

    def draw(self) -> Draw:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class LogSpacedDecay(DecayStart):
    """``exp(-1 / tau)`` with time constants tau from ``shortest`` to ``longest`` tokens, evenly spaced in the logarithm.

    One leak cannot hold both the present token and the past; a spread of them can. Heterogeneous starts carry most of what
    heterogeneous time constants are worth (Perez-Nieves et al., 2021).
    """

    shortest: float = number(2.0, 0.1, 1e5)
    longest: float = number(64.0, 0.1, 1e5)

    def check(self) -> None:
        if self.shortest > self.longest:
            raise ConfigError(f"LogSpacedDecay: shortest = {self.shortest} exceeds longest = {self.longest}")

    def draw(self) -> Draw:
        return log_spaced_decays(self.shortest, self.longest)


@dataclass(frozen=True, kw_only=True)
class UniformDecay(DecayStart):
    """The same decay for every neuron."""

    value: float = number(0.9, 0.0, 1.0, open_ends=True)

    def draw(self) -> Draw:
        return filled(self.value)


@dataclass(frozen=True, kw_only=True)
class LearnedDecay(Config):
    """A decay of its own for each neuron, moved by the gradient: ``decay = sigmoid(logit(start) + w)`` with w = 0 at first."""

    neutral: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class LearnedThreshold(Config):
    """A threshold of its own for each neuron, moved by the gradient: ``threshold = start * exp(w)`` with w = 0 at first.

    It adds no function that scaling the weights could not reach; what it buys is easier optimisation.
    """

    neutral: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Leaky(NeuronConfig):
    """A slot for a leaky neuron. Each slot in it swaps or removes one piece; the defaults are those that train stably: a spread
    of decays, a surrogate wide enough to learn from.

    binary: whether what it sends is 0 or 1.
    """

    abstract: ClassVar[bool] = True
    binary: ClassVar[bool] = True

    decay: DecayStart = LogSpacedDecay()
    threshold: float = number(1.0, 0.01, 100.0)
    learned_decay: LearnedDecay | None = LearnedDecay()
    learned_threshold: LearnedThreshold | None = LearnedThreshold()
    surrogate: Surrogate = RelativeFastSigmoid()

    def build(self, *, size: int) -> LeakyLayer:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Resetting(Leaky):
    """A slot for a leaky neuron whose membrane a spike resets. By default no gradient goes through the reset, and the input is
    normalised by the decay.

    scan: the op that walks a layer along time.
    """

    abstract: ClassVar[bool] = True
    scan: ClassVar[Op]

    normalise: InputNormalisation | None = VariancePreserving()
    reset: Reset = DetachedReset()

    def build(self, *, size: int) -> ResettingLayer:
        return ResettingLayer(self, size)


class LeakyLayer(Neuron, Counted):
    """A layer of a :class:`Leaky` neuron."""

    config: Any  # a Leaky; each layer narrows it
    start: Tensor

    def __init__(self, config: Leaky, size: int) -> None:
        super().__init__()
        self.config, self.size, self.binary = config, size, config.binary
        self.register_buffer("start", constant(size, draw=through(torch.logit, config.decay.draw())))
        if config.learned_decay:
            self.decay_shift = parameter(size, draw=filled(0.0), role=NEURON)
        if config.learned_threshold:
            self.log_threshold = parameter(size, draw=filled(0.0), role=NEURON)

    def params(self) -> NeuronParams:
        decay = torch.sigmoid(self.start + self.decay_shift if self.config.learned_decay else self.start)
        threshold = torch.full_like(self.start, self.config.threshold)
        if self.config.learned_threshold:
            threshold = threshold * torch.exp(self.log_threshold)
        return NeuronParams(decay, threshold, torch.ones_like(self.start))

    def forward(
        self, current: Tensor, state: Any, params: NeuronParams, recurrent: Tensor | None, keep: Tensor | None
    ) -> tuple[Activity, Any]:
        # Membranes and thresholds are float32 at least: at 1.0 the spacing of bfloat16 is 0.008, coarser than what is learned.
        dtype = wide(current)
        params = NeuronParams(*(tensor.to(dtype) for tensor in params))
        state = tree_map(lambda tensor: tensor.to(dtype), state)
        recurrent, keep = (None if tensor is None else tensor.to(dtype) for tensor in (recurrent, keep))
        with torch.autocast(current.device.type, enabled=False):
            return self._along_time(current.to(dtype), state, params, recurrent, keep)

    @abstractmethod
    def _along_time(
        self, current: Tensor, state: Any, params: NeuronParams, recurrent: Tensor | None, keep: Tensor | None
    ) -> tuple[Activity, Any]:
        """``forward``, everything of one type."""


class ResettingLayer(LeakyLayer):
    """A layer of a :class:`Resetting` neuron. State: membrane after reset and last output, [B, N] each."""

    def init_state(self, batch: int) -> Any:
        zeros = self.start.new_zeros(batch, self.size, dtype=wide(self.start))
        return LIFState(zeros, zeros.clone())

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Each membrane decays and takes its current in, whether it fires or not; the reset subtracts where it fired."""
        yield Operation("membrane", 2, self.size)
        yield Operation("reset", self.size, 1, work.spikes[self])

    def _along_time(
        self, current: Tensor, state: Any, params: NeuronParams, recurrent: Tensor | None, keep: Tensor | None
    ) -> tuple[Activity, Any]:
        return self._scan(current, state, params, self._gain(params.gain, params.decay), recurrent, keep)

    def _gain(self, gain: Tensor, decay: Tensor) -> Tensor:
        """The factor on the current of a membrane of this decay."""
        return gain * self.config.normalise.factor(decay) if self.config.normalise else gain

    def _scan(
        self,
        drive: Tensor,
        state: LIFState,
        params: NeuronParams,
        gain: Tensor,
        recurrent: Tensor | None,
        keep: Tensor | None,
    ) -> tuple[Activity, LIFState]:
        config = self.config
        drive, gain = shared(drive, gain)
        spikes, membrane, state = config.scan(
            drive,
            state,
            params.decay,
            params.threshold,
            gain,
            recurrent,
            keep,
            width=config.surrogate.width(params.threshold),
            slope=config.surrogate.slope,
            reset_gradient=config.reset.through,
            bound=config.reset.bound,
        )
        return Activity(spikes, membrane), state


def wide(tensor: Tensor) -> torch.dtype:
    """The type to keep membranes in beside ``tensor``: its own, float32 at least."""
    return torch.promote_types(tensor.dtype, torch.float32)
