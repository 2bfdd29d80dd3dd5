"""Real Sam: leaky integrate-and-fire neurons on a residual stream, under one shared stress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import number
from wetware.layers import Encoder, InputGate, SpikingBlock, STESpikes, TiedReadout
from wetware.models.calibration import scale_until
from wetware.models.language_model import FiringTarget, LanguageModel, ModelConfig, Output, checked_tokens, keep_mask
from wetware.modulation import NEUTRAL, Environment, ModulatorConfig, Signals, SignalTracker, stress_tracker
from wetware.neurons import NeuronParams
from wetware.state import State


@dataclass(frozen=True, kw_only=True)
class RealSam(ModelConfig):
    """Real Sam V4 (Nakai Williams): token -> binary spike vector (straight-through) -> linear -> spiking blocks (input and
    recurrent weights -> LIF with learned decay and threshold -> gated residual), every neuron's gain under the shared
    environment -> tied readout. State: membranes and last spikes, the same size at every token.
    """

    width: int = number(512, 1)
    depth: int = number(6, 1)
    encoder: Encoder = STESpikes()
    block: SpikingBlock = SpikingBlock()
    modulators: tuple[ModulatorConfig, ...] = (Environment(),)
    firing_target: FiringTarget | None = FiringTarget()

    def module(self) -> RealSamModel:
        return RealSamModel(self)

    @classmethod
    def tiny(cls) -> RealSam:
        block = SpikingBlock(gate=InputGate(rank=4))
        return cls(vocab_size=67, boundary=0, width=32, depth=2, encoder=STESpikes(bits=24), block=block)


class RealSamState(NamedTuple):
    """The neurons of each block."""

    blocks: tuple[State, ...]


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
        self.readout = TiedReadout(config.width, config.encoder.bits)

    def init_state(self, batch: int) -> RealSamState:
        return RealSamState(tuple(block.init_state(batch) for block in self.blocks))

    def signal_trackers(self) -> dict[str, SignalTracker]:
        return stress_tracker(self.config.modulators)

    def neuron_params(self, signals: Signals = NEUTRAL) -> tuple[NeuronParams, ...]:
        return tuple(block.params(signals) for block in self.blocks)

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        tokens = checked_tokens(tokens, self.vocab_size)
        state = self.init_state(len(tokens)) if state is None else state
        table = self.encoder.table
        keep = keep_mask(tokens, self.config.boundary, table)
        x = self.encoder(tokens)
        states, activities = [], []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            x, activity, after = block(x, before, signals, keep)
            states.append(after)
            activities.append(activity)
        target = self.config.firing_target
        losses = {"firing": target.loss(tuple(activities))} if target else {}
        logits = self.readout(x, table)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return Output(logits, RealSamState(tuple(states)), tuple(activities), losses)

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
