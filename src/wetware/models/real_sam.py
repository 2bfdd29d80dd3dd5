"""Real Sam: leaky integrate-and-fire neurons on a residual stream, under one shared stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.layers import Encoder, Fired, InputGate, SpikingBlock, STESpikes, TiedReadout
from wetware.models.calibration import scale_until
from wetware.models.language_model import FiringTarget, LanguageModel, ModelConfig, Output, checked_tokens, keep_mask
from wetware.modulation import NEUTRAL, Environment, ModulatorConfig, Signals, SignalTracker, stress_tracker
from wetware.neurons import Activity, NeuronParams
from wetware.state import State


@dataclass(frozen=True, kw_only=True)
class MembraneReading(Config):
    """The readout reads ``y + tanh(membrane)`` of the last block, y what it hands on: where nothing but spikes is handed on, a
    readout would see two levels of each neuron, and a softmax over many tokens needs more."""


@dataclass(frozen=True, kw_only=True)
class RealSam(ModelConfig):
    """Real Sam V4 (Nakai Williams): token -> binary spike vector (straight-through) -> linear -> spiking blocks (input and
    recurrent weights -> LIF with learned decay and threshold -> gated residual), every neuron's gain under the shared
    environment -> tied readout. State: membranes and last spikes, the same size at every token; the earlier versions are other
    parts in its slots (:mod:`wetware.recipes.real_sam_versions`).
    """

    width: int = number(512, 1)
    depth: int = number(6, 1)
    encoder: Encoder = STESpikes()
    block: SpikingBlock = SpikingBlock()
    membranes: MembraneReading | None = None
    modulators: tuple[ModulatorConfig, ...] = (Environment(),)
    firing_target: FiringTarget | None = FiringTarget()

    def module(self) -> RealSamModel:
        return RealSamModel(self)

    @classmethod
    def tiny(cls) -> RealSam:
        block = SpikingBlock(gate=InputGate(rank=4))
        return cls(vocab_size=67, boundary=0, width=32, depth=2, encoder=STESpikes(bits=24), block=block)


class RealSamState(NamedTuple):
    """blocks: the neurons of each. surprise: how well the text was foretold, where stress follows that, else ()."""

    blocks: tuple[State, ...]
    surprise: State = ()


class RealSamModel(LanguageModel):
    """See :class:`RealSam`."""

    def __init__(self, config: RealSam) -> None:
        super().__init__()
        self.config: RealSam = config
        self.encoder = config.encoder.build(vocab_size=config.vocab_size, width=config.width)
        self.blocks: Any = nn.ModuleList(
            config.block.build(width=config.width, depth=config.depth, modulators=config.modulators)
            for _ in range(config.depth)
        )
        if config.block.relays_spikes:
            for below, block in zip(self.blocks, self.blocks[1:], strict=False):
                block.input_neuron.append(below.neuron)
        self.readout = TiedReadout(config.width, config.encoder.bits)
        self.surprise = next((found for each in config.modulators if (found := each.surprise())), None)

    def init_state(self, batch: int) -> RealSamState:
        device = self.encoder.table.device
        surprise = self.surprise.init_state(batch, self.vocab_size, device) if self.surprise else ()
        return RealSamState(tuple(block.init_state(batch) for block in self.blocks), surprise)

    def signal_trackers(self) -> dict[str, SignalTracker]:
        return stress_tracker(self.config.modulators)

    def neuron_params(self, signals: Signals = NEUTRAL) -> tuple[NeuronParams, ...]:
        return tuple(block.params(signals) for block in self.blocks)

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        tokens = checked_tokens(tokens, self.vocab_size)
        state = self.init_state(len(tokens)) if state is None else state
        if self.surprise and signals.stress is None:
            logits, state, activity = self._surprised(tokens, state, signals)
        else:
            logits, blocks, activity = self._read(tokens, state.blocks, signals)
            state = RealSamState(blocks, state.surprise.forgotten() if self.surprise else ())
        target = self.config.firing_target
        losses = {"firing": target.loss(activity)} if target else {}
        evidence = {}
        if self.config.block.homeostasis and torch.is_grad_enabled():
            fired = [Fired(layer.spikes.detach().mean((0, 1))) for layer in activity]
            evidence = {f"blocks.{index}.homeostasis": rates for index, rates in enumerate(fired)}
        return Output(logits, state, activity, losses, evidence)

    def _read(
        self, tokens: Tensor, blocks: tuple[State, ...], signals: Signals
    ) -> tuple[Tensor, tuple[State, ...], tuple[Activity, ...]]:
        """Logits, the state of the blocks, and their activity."""
        table = self.encoder.table
        keep = keep_mask(tokens, self.config.boundary, table)
        x = self.encoder(tokens)
        states, activities = [], []
        for block, before in zip(self.blocks, blocks, strict=True):
            x, activity, after = block(x, before, signals, keep)
            states.append(after)
            activities.append(activity)
        if self.config.membranes:
            x = x + torch.tanh(activities[-1].membrane).to(x.dtype)
        logits = self.readout(x, table)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return logits, tuple(states), tuple(activities)

    def _surprised(
        self, tokens: Tensor, state: RealSamState, signals: Signals
    ) -> tuple[Tensor, RealSamState, tuple[Activity, ...]]:
        """Read token by token, each under the stress that it makes itself."""
        surprise: Any = self.surprise
        blocks, memory, logits, fired = state.blocks, state.surprise, [], []
        for token in tokens.unbind(1):
            fresh = None if self.config.boundary is None else token == self.config.boundary
            stress, memory = surprise.hear(memory, token, fresh)
            now, blocks, activity = self._read(token[:, None], blocks, signals._replace(stress=stress))
            memory = memory.expect(now[:, 0])
            logits.append(now)
            fired.append(activity)
        layers = tuple(
            Activity(*(torch.cat(parts, 1) for parts in zip(*layer, strict=True))) for layer in zip(*fired, strict=True)
        )
        return torch.cat(logits, 1), RealSamState(blocks, memory), layers

    @torch.no_grad()
    def calibrate(self, tokens: Tensor, rate: float) -> dict[str, float]:
        """Layer by layer, bisect on the scale of its currents until the layer fires at ``rate`` on what reaches it.

        Fluctuation-driven initialisation (Rossbroich, Gygax and Zenke, 2022), measured instead of derived: without it deep
        layers of a spiking network start silent or saturated.
        """
        keep = keep_mask(tokens, self.config.boundary, self.encoder.table)
        x, rates = self.encoder(tokens), {}
        for index, block in enumerate(self.blocks):
            state = block.init_state(len(tokens))
            run = lambda block=block, x=x, state=state: block(x, state, NEUTRAL, keep)  # noqa: E731
            _, rates[str(index)] = scale_until(block.loudness(), lambda run=run: run()[1], rate)
            x = run()[0]
        return rates
