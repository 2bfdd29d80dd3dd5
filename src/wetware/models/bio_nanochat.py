"""Bio-nanochat: the plain transformer whose synapses tire, learn and multiply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import element_name
from wetware.kernels import attention, rms_norm
from wetware.layers import KV, MLP, SelfAttention
from wetware.layers.attention import Span
from wetware.layers.experts import ExpertsConfig
from wetware.layers.initialisation import Initialisation, NormalWeights
from wetware.layers.lifecycle import Lifecycle
from wetware.layers.residual import Passed, Residual, ResidualStream, Stack
from wetware.layers.synaptic_experts import SynapticExperts
from wetware.models.gpt import GPT, TransformerModel
from wetware.models.language_model import LanguageModel
from wetware.modulation import Acetylcholine, Dopamine, Neuromodulator, Noradrenaline, SignalTracker
from wetware.plasticity import Consolidation, DualWeights, FastWeights, MemoryConfig
from wetware.synapses import DistanceBarrier, SeptinInhibition, Synapse, TwoHop, VesicleRelease

LIVING = Synapse(
    release=VesicleRelease(), distance=DistanceBarrier(), septin=SeptinInhibition(), two_hop=TwoHop()
)  # every part of the presynapse


@dataclass(frozen=True, kw_only=True)
class BioNanochat(GPT):
    """A :class:`GPT` with living synapses. Everything that is not in a GPT is a part that may be absent, and changes no logit
    before training; without all of them it is that GPT, same logits from the same seed.

    synapse: between query and keys. memory: fast weights beside attention. experts: beside the MLP.
    neuromodulators: gains in every block, by signals given with the tokens. residual: how blocks are joined. initialisation:
    how the matrices of the blocks look before training.
    """

    synapse: Synapse = LIVING
    memory: MemoryConfig | None = FastWeights()
    experts: ExpertsConfig | None = SynapticExperts()
    neuromodulators: tuple[Neuromodulator, ...] = (Dopamine(), Acetylcholine(), Noradrenaline())
    residual: Residual = ResidualStream()
    initialisation: Initialisation = NormalWeights()

    def build(self, seed: int = 0) -> LanguageModel:
        model = super().build(seed)
        self.initialisation.redraw(model, seed, within="blocks.")
        return model

    def module(self) -> SynapticTransformer:
        return SynapticTransformer(self)

    def stack(self) -> Stack:
        return self.residual.build(depth=self.depth)

    def block(self, layer: int) -> nn.Module:
        return SynapticBlock(self, layer)

    @classmethod
    def tiny(cls) -> BioNanochat:
        lifecycle = Lifecycle(every=1, rate=0.2, min_age=1, quantile=0.0, similar=0.5, patience=2, noise=0.1)
        return cls(
            vocab_size=67,
            boundary=0,
            width=32,
            depth=2,
            attention=SelfAttention(heads=2, window=12),
            experts=SynapticExperts(experts=3, most=6, hidden=16, lifecycle=lifecycle),
            memory=FastWeights(dual=DualWeights(consolidation=Consolidation(every=1))),
        )


class SynapticTransformer(TransformerModel):
    """See :class:`BioNanochat`."""

    def signal_trackers(self) -> dict[str, SignalTracker]:
        return {element_name(each): each.tracker() for each in self.config.neuromodulators}


class SynapticState(NamedTuple):
    """What a layer keeps: its cache, and what its synapses, its memory and its experts remember."""

    cache: KV
    synapse: Any
    memory: Any
    experts: Any


class SynapticBlock(nn.Module):
    """``x + out(synapse(q, k, v) + memory(q, k, v))``, then ``x + mlp + experts``, each of normed vectors."""

    def __init__(self, config: BioNanochat, layer: int) -> None:
        super().__init__()
        heads = config.attention.heads
        self.attention = config.attention.build(width=config.width, depth=config.depth)
        self.mlp = MLP(config.width, config.expansion, config.depth)
        # optional parts lie under their name, so that taking one out renames none
        alive = any(value is not None for value in vars(config.synapse).values())
        self.synapse = config.synapse.build(heads=heads, layer=layer) if alive else None
        self.memory = config.memory.build(width=config.width, heads=heads) if config.memory else None
        self.experts = config.experts.build(width=config.width, depth=config.depth) if config.experts else None
        self.neuromodulators = nn.ModuleDict({element_name(each): each.build() for each in config.neuromodulators})

    def init_state(self, batch: int) -> SynapticState:
        parts = (self.synapse, self.memory, self.experts)
        return SynapticState(KV((), ()), *(part.init_state(batch) if part else () for part in parts))

    def forward(self, x: Tensor, state: SynapticState, span: Span) -> Passed:
        mixed, state, told = self.mix(x, state, span)
        x = x + mixed
        fed, state, losses, more = self.feed(x, state, span)
        return Passed(x + fed, state, losses, told | more)

    def gained(self, name: str, x: Tensor, span: Span) -> Tensor:
        """``x`` times the gain of the neuromodulator of that name; ``x`` itself, where that is absent."""
        if name not in self.neuromodulators:
            return x
        signal = getattr(span.signals, name)
        if signal == 0.0 and not torch.is_grad_enabled():
            return x  # a gain of exp(0), whatever was learned
        return x * self.neuromodulators[name](signal)

    def mix(self, x: Tensor, state: SynapticState, span: Span) -> tuple[Tensor, SynapticState, dict[str, Any]]:
        """What the half over time adds to x [B, T, width]."""
        x = rms_norm(x)
        seen = self.attention.look(x, state.cache, span)
        asked = (self.gained("acetylcholine", seen.query, span), *seen[1:4])  # a memory gets the query as it was
        synapse, memory, evidence = (), (), {}
        if self.synapse:
            mixed, synapse = self.synapse(*asked, state.synapse, span.before, span.tokens, seen.dropped)
        else:
            mixed = attention(*asked)
        if self.memory:
            recalled = self.memory(x, *seen.content, seen.values[-1], state.memory, span.keep)
            mixed, memory = mixed + recalled.values, recalled.state
            evidence = {} if recalled.evidence is None else {"memory": recalled.evidence}
        left = SynapticState(seen.left, synapse, memory, state.experts)
        return self.gained("dopamine", self.attention.out(mixed.flatten(2)), span), left, evidence

    def feed(self, x: Tensor, state: SynapticState, span: Span) -> tuple[Tensor, SynapticState, dict, dict]:
        """What the half over channels adds to x [B, T, width], and its losses and evidence."""
        x = rms_norm(x)
        fed = self.mlp(self.gained("noradrenaline", x, span))
        if not self.experts:
            return fed, state, {}, {}
        answered = self.experts(x, state.experts, span.keep)
        evidence = {} if answered.evidence is None else {"experts": answered.evidence}
        return fed + answered.hidden, state._replace(experts=answered.state), dict(answered.losses), evidence
