"""Real Sam's block: neurons on a residual stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config, number, snake
from wetware.kernels import gated_sum, spike_linear
from wetware.layers.axonal_delays import AxonalDelays
from wetware.layers.block_output import BlockOutput, ResidualOutput
from wetware.layers.current_norm import CurrentNorm
from wetware.layers.homeostasis import Homeostasis
from wetware.layers.linear import Linear
from wetware.layers.norm import Norm, RMSNorm, Unnormalised
from wetware.modulation import ModulatorConfig, Signals
from wetware.neurons import LIF, Activity, Neuron, NeuronConfig, NeuronParams
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, hollow, orthogonal, parameter
from wetware.state import State, with_item, without_item


@dataclass(frozen=True, kw_only=True)
class Recurrence(Config):
    """Learned wiring within a layer: the spikes of the last token, through W [N, N], add to the membrane of this one.

    W starts as ``scale`` times an orthogonal matrix, zero on its diagonal. Small on purpose: with a surrogate this wide,
    gradients through W_rec explode when decay + ||W|| * mean surrogate exceeds about 1.
    """

    scale: float = number(0.2, 0.0, 2.0)

    def build(self, *, size: int) -> nn.Parameter:
        return parameter(size, size, draw=hollow(orthogonal(self.scale)))


@dataclass(frozen=True, kw_only=True)
class Gate(Config):
    """How much of a block's output enters the residual stream; ``bias`` is the logit it starts at."""

    abstract: ClassVar[bool] = True

    bias: float = number(-1.0, -20.0, 20.0)

    def build(self, *, width: int) -> nn.Module:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class InputGate(Gate):
    """``sigmoid(W2 W1 x + bias)``: the input opens and closes it, through ``rank`` dimensions."""

    rank: int = number(64, 1)

    def build(self, *, width: int) -> nn.Module:
        return _InputGate(width, self.rank, self.bias)


@dataclass(frozen=True, kw_only=True)
class NeuronGate(Gate):
    """``sigmoid(bias)``, one learned number for each channel: the control of :class:`InputGate`."""

    def build(self, *, width: int) -> nn.Module:
        return _NeuronGate(width, self.bias)


class _NeuronGate(nn.Module):
    def __init__(self, width: int, bias: float) -> None:
        super().__init__()
        self.bias = parameter(width, draw=filled(bias), role=NEURON)

    def forward(self, x: Tensor, u: Tensor, update: Tensor) -> Tensor:
        """The stream x with the gated ``update`` added to it; u is the stream, normalised."""
        return x + torch.sigmoid(self.bias) * update


class _InputGate(_NeuronGate, Counted):
    def __init__(self, width: int, rank: int, bias: float) -> None:
        super().__init__(width, bias)
        self.down, self.up = Linear(width, rank), Linear(rank, width, scale=0.5)

    def operations(self, work: Workload) -> Iterator[Operation]:
        for name, weight in (("down", self.down.weight), ("up", self.up.weight)):
            yield Operation(name, weight.shape[1], weight.shape[0], weights=(weight,))

    def forward(self, x: Tensor, u: Tensor, update: Tensor) -> Tensor:
        logits = self.up(self.down(u))
        return gated_sum(x, logits.to(x.dtype), self.bias, update.to(x.dtype))


@dataclass(frozen=True, kw_only=True)
class SpikingBlock(Config):
    """``y = x + gate(u) * W_out s`` with ``u = rms_norm(x)`` and s the spikes of neurons driven by ``W_in u``.

    The residual stream is continuous, what crosses from neuron to neuron is spikes. Without the stream, gradients do not
    reach the first layers of a deep spiking network. output: what is handed on, with the stream or without. norm: how what
    comes in is normalised before it drives neurons.
    currents: what is done to ``W_in u`` before it drives neurons. delays: by how much u comes late there (the gate has it at
    once).
    """

    neuron: NeuronConfig = LIF()
    delays: AxonalDelays | None = None
    currents: CurrentNorm | None = None
    recurrence: Recurrence | None = Recurrence()
    gate: Gate | None = InputGate()
    norm: Norm = RMSNorm()
    output: BlockOutput = ResidualOutput()
    homeostasis: Homeostasis | None = None

    def build(self, *, width: int, depth: int, modulators: tuple[ModulatorConfig, ...] = ()) -> Block:
        return Block(self, width, depth, modulators)

    @property
    def relays_spikes(self) -> bool:
        """Whether what drives a block are the spikes of the block below and nothing else, as they are."""
        return not self.output.projects and self.gate is None and isinstance(self.norm, Unnormalised)


class Block(nn.Module, Counted):
    """See :class:`SpikingBlock`. [B, T, width] -> the same, with the neurons' activity and state, to which delays add what is
    ``underway``."""

    def __init__(self, config: SpikingBlock, width: int, depth: int, modulators: tuple[ModulatorConfig, ...]) -> None:
        super().__init__()
        self.config = config
        self.fc_in = Linear(width, width)
        if config.currents:
            self.currents = config.currents.build(size=width)
        self.neuron = config.neuron.build(size=width)
        if config.output.projects:
            self.fc_out = Linear(width, width, scale=2.0 * depth**-0.5)
        if config.recurrence:
            self.fc_rec = config.recurrence.build(size=width)
        if config.gate:
            self.gate = config.gate.build(width=width)
        if config.homeostasis:
            self.homeostasis = config.homeostasis.build(size=width)
        self.modulators = nn.ModuleDict({snake(type(m).__name__): m.build(size=width) for m in modulators})
        self.input_neuron: list[Neuron] = []  # whose spikes, and nothing else, come in; a list, so as not to own it

    def init_state(self, batch: int) -> State:
        state, delays = self.neuron.init_state(batch), self.config.delays
        return with_item(state, "underway", delays.init_state(batch, self.fc_in.weight)) if delays else state

    def loudness(self) -> nn.Parameter:
        """What the feed-forward currents are proportional to at the start: scaling it scales them."""
        return self.currents.gain if self.config.currents else self.fc_in.weight

    def operations(self, work: Workload) -> Iterator[Operation]:
        """A stream is real-valued: ``fc_in`` multiplies. What spikes go through only adds: a row for each that fired."""
        width, spikes = len(self.fc_in.weight), work.spikes[self.neuron]
        incoming = work.spikes[self.input_neuron[0]] if self.input_neuron else None
        yield Operation("fc_in", width, width, incoming, (self.fc_in.weight,))
        if self.config.recurrence:
            yield Operation("fc_rec", width, width, spikes, (self.fc_rec,))
        if self.config.output.projects:
            yield Operation("fc_out", width, width, spikes, (self.fc_out.weight,))

    def params(self, signals: Signals) -> NeuronParams:
        """The parameters of the neurons, as homeostasis and the modulators leave them."""
        params = self.neuron.params()
        if self.config.homeostasis:
            params = self.homeostasis(params)
        for modulate in self.modulators.values():
            params = modulate(params, signals)
        return params

    def forward(self, x: Tensor, state: Any, signals: Signals, keep: Tensor | None) -> tuple[Tensor, Activity, State]:
        params, config = self.params(signals), self.config
        u = config.norm.of(x)
        sent = u
        if config.delays:
            state, underway = without_item(state)
            sent, underway = config.delays.arriving(u, underway, keep)
        recurrent = self.fc_rec if config.recurrence else None
        current = spike_linear(sent, self.fc_in.weight) if self.input_neuron else self.fc_in(sent)
        if config.currents:
            current = self.currents(current)
        activity, state = self.neuron(current, state, params, recurrent, keep)
        if config.delays:
            state = with_item(state, "underway", underway)
        out = spike_linear(activity.spikes, self.fc_out.weight) if config.output.projects else activity.spikes
        under = config.output.under(x)
        return self.gate(under, u, out) if config.gate else under + out, activity, state
