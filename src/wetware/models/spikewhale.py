"""SpikeWhale: stacked recurrent spiking layers whose neurons are set by gene programs, read from all membranes at once."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, ConfigError, number, snake
from wetware.kernels import spike_linear
from wetware.layers import LeakyReadout, Linear, MembraneReadout, NormalisedReadout, Recurrence
from wetware.layers.spike_encoder import DEVIATION
from wetware.models.calibration import scale_until
from wetware.models.language_model import Drafter, LanguageModel, ModelConfig, Output, checked_tokens, keep_mask
from wetware.modulation import NEUTRAL, GeneProgram, ModulatorConfig, Signals, SignalTracker, stress_tracker
from wetware.neurons import LIF, Activity, DetachedReset, NeuronConfig, NeuronParams, UniformDecay
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import EMBEDDING, NEURON, filled, normal, parameter
from wetware.state import State
from wetware.traits import Context, Place, Site, Trait, TraitConfig
from wetware.traits.multi_token import TokenPredictor

# The author's kin start at a decay of 0.9. Of 0.1, 0.3, 0.5 and 0.9 the first three are alike and the last is worse by 0.3 bits
# per byte (docs/experiments.md): a bridge then seems to help by as much as it shortens the memory of every neuron.
NEURONS = LIF(
    decay=UniformDecay(value=0.5),
    learned_decay=None,
    learned_threshold=None,
    normalise=None,
    reset=DetachedReset(bound=30.0),
)


@dataclass(frozen=True, kw_only=True)
class FiringFloor(Config):
    """``weight * mean over layers of relu(rate - r)^2``, r how often a layer's neurons fire in the batch: against layers that
    fall silent, one-sided. (Of both sides, at this weight, it would weigh as much as the cross-entropy in a network that fires
    at 41 %, as the author's does.) It is the layers' means that are held up: asked of every single neuron, the same weight
    drove upper layers to fire at every token within two hundred steps (docs/experiments.md)."""

    neutral: ClassVar[bool] = True

    rate: float = number(0.2, 0.0, 1.0)
    weight: float = number(50.0, 0.0)

    def loss(self, activity: tuple[Activity, ...]) -> Tensor:
        rates = torch.stack([layer.spikes.mean() for layer in activity])
        return self.weight * (self.rate - rates).relu().square().mean()


@dataclass(frozen=True, kw_only=True)
class SpikeWhale(ModelConfig):
    """SpikeWhale (Byrne, 2026): token vectors drive the first of ``depth`` layers of ``width`` recurrent LIF neurons, the
    spikes of each layer the next; what every membrane is before its reset is read::

        current^0 = W_in^0 x,  current^l = input_gain * W_in^l s^{l-1}      (+ bias)
        pre_t = decay * v_{t-1} + gain * current_t + s_{t-1} W_rec,  s_t = 1[pre_t >= threshold]
        z = rms_norm(W_z concat_l tanh(pre^l))            through the readout's own decay, if any
        logits = scale * rms_norm(z) E^T                  E: the table of token vectors, tied

    x is the token's vector in E over ``token_unit``, by default the deviation it is drawn with. readout: the last two lines, or
    the author's, without norms. modulators: one set for all layers. traits: at the token vectors and at z. State: membranes and
    last spikes, what traits remember; the same size at every token. The author's sizes are the defaults.
    """

    width: int = number(1488, 1)
    depth: int = number(4, 1)
    embedding: int = number(1488, 1)
    neuron: NeuronConfig = NEURONS
    recurrence: Recurrence | None = Recurrence()
    token_unit: float = number(DEVIATION, 1e-4, 1e4)
    input_gain: float = number(3.0, 0.01, 100.0)
    readout: MembraneReadout = NormalisedReadout()
    readout_decay: LeakyReadout | None = None
    modulators: tuple[ModulatorConfig, ...] = (GeneProgram(),)
    traits: tuple[TraitConfig, ...] = ()
    firing_floor: FiringFloor | None = FiringFloor()

    def check(self) -> None:
        super().check()
        if any(each.surprise() for each in self.modulators):
            raise ConfigError(
                "SpikeWhale: inference = SurpriseStress is for RealSam; allowed here: NeutralStress, "
                "FixedStress, FrozenStress"
            )

    def module(self) -> SpikeWhaleModel:
        return SpikeWhaleModel(self)

    @classmethod
    def tiny(cls) -> SpikeWhale:
        return cls(vocab_size=67, boundary=0, width=32, depth=2, embedding=24, readout_decay=LeakyReadout())


class SpikeWhaleState(NamedTuple):
    """layers: the neurons of each. readout: what its decay keeps, or (). traits: what each remembers, by name."""

    layers: tuple[State, ...]
    readout: State
    traits: State


@cache
def trait_states(names: tuple[str, ...]) -> Any:
    """What the traits of these names remember, as a NamedTuple with a field for each."""
    return namedtuple("TraitStates", names)


class SpikingLayer(nn.Module, Counted):
    """One layer of neurons: input weights, recurrent weights, neurons."""

    def __init__(self, config: SpikeWhale, first: bool) -> None:
        super().__init__()
        self.first, self.gain = first, 1.0 if first else config.input_gain
        self.fc_in = Linear(config.embedding if first else config.width, config.width)
        self.bias = parameter(config.width, draw=filled(0.0), role=NEURON)
        if config.recurrence:
            self.fc_rec = config.recurrence.build(size=config.width)
        self.recurrent = config.recurrence is not None
        self.neuron = config.neuron.build(size=config.width)
        self.input_neuron: list[nn.Module] = []  # whose spikes come in; a list, so as not to own it

    def operations(self, work: Workload) -> Iterator[Operation]:
        """The first layer multiplies real numbers; what spikes go through only adds."""
        outputs, inputs = self.fc_in.weight.shape
        incoming = None if self.first else work.spikes[self.input_neuron[0]]
        yield Operation("fc_in", inputs, outputs, incoming, (self.fc_in.weight,))
        if self.recurrent:
            yield Operation("fc_rec", outputs, outputs, work.spikes[self.neuron], (self.fc_rec,))

    def forward(self, x: Tensor, state: Any, params: NeuronParams, keep: Tensor | None) -> tuple[Activity, State]:
        current = self.fc_in(x) if self.first else self.gain * spike_linear(x, self.fc_in.weight)
        recurrent = self.fc_rec if self.recurrent else None
        return self.neuron(current + self.bias, state, params, recurrent, keep)


class SpikeWhaleModel(LanguageModel, Counted):
    """See :class:`SpikeWhale`."""

    def __init__(self, config: SpikeWhale) -> None:
        super().__init__()
        self.config: SpikeWhale = config
        self.table = parameter(config.vocab_size, config.embedding, draw=normal(DEVIATION), role=EMBEDDING)
        self.layers: Any = nn.ModuleList(SpikingLayer(config, first=index == 0) for index in range(config.depth))
        for below, layer in zip(self.layers, self.layers[1:], strict=False):
            layer.input_neuron.append(below.neuron)
        self.modulators = nn.ModuleDict({_name(m): m.build(size=config.width) for m in config.modulators})
        if config.readout_decay:
            self.leak = config.readout_decay.build(size=config.embedding)
        self.readout = config.readout.build(
            features=config.depth * config.width, size=config.embedding, vocab_size=config.vocab_size
        )
        place = Place(config.embedding, config.width, config.depth, config.vocab_size, config.boundary)
        self.traits: Any = nn.ModuleDict({_name(trait): trait.build(place) for trait in config.traits})

    def init_state(self, batch: int) -> SpikeWhaleState:
        layers = tuple(layer.neuron.init_state(batch) for layer in self.layers)
        readout = self.leak.init_state(batch) if self.config.readout_decay else ()
        return SpikeWhaleState(
            layers, readout, self._remembering(*(trait.init_state(batch) for trait in self.traits.values()))
        )

    def signal_trackers(self) -> dict[str, SignalTracker]:
        return stress_tracker(self.config.modulators)

    def _remembering(self, *states: State, **named: State) -> Any:
        return trait_states(tuple(self.traits))(*states, **named)

    def neuron_params(self, signals: Signals = NEUTRAL) -> tuple[NeuronParams, ...]:
        found = []
        for layer in self.layers:
            params = layer.neuron.params()
            for modulate in self.modulators.values():
                params = modulate(params, signals)
            found.append(params)
        return tuple(found)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """The vector that is read is compared with that of every token."""
        yield Operation("table", self.config.embedding, self.vocab_size, weights=(self.table,))

    def trait_at(self, site: Site) -> Iterator[tuple[str, Trait]]:
        """The traits that stand at ``site``, in order."""
        for config, (name, trait) in zip(self.config.traits, self.traits.items(), strict=True):
            if config.site is site:
                yield name, trait

    def logits(self, hidden: Tensor) -> Tensor:
        """Of vectors [..., embedding], in float32 at least."""
        logits = self.readout.logits(hidden, self.table)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        return self.read(tokens, state, signals=signals)[0]

    def read(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> tuple[Output, Tensor]:
        """What ``forward`` gives, and the vectors z [B, T, embedding] that the logits are made of."""
        tokens = checked_tokens(tokens, self.vocab_size)
        state = self.init_state(len(tokens)) if state is None else state
        keep = keep_mask(tokens, self.config.boundary, self.table)
        context = Context(tokens, keep, self.table, self.logits)
        remembered, losses = state.traits._asdict(), {}
        x, remembered = self.through(
            Site.INPUT, self.table[tokens] / self.config.token_unit, context, remembered, losses
        )
        activity, layers = [], []
        for layer, params, before in zip(self.layers, self.neuron_params(signals), state.layers, strict=True):
            fired, after = layer(x, before, params, keep)
            x = fired.spikes
            activity.append(fired)
            layers.append(after)
        context = context._replace(activity=tuple(activity))
        features = torch.cat([torch.tanh(layer.membrane) for layer in activity], -1)
        z = self.readout(features.to(self.table.dtype))
        carried = state.readout
        if self.config.readout_decay:
            z, carried = self.leak(z, carried, keep)
        z, remembered = self.through(Site.READOUT, self.readout.hidden(z), context, remembered, losses)
        if z.requires_grad:
            for name, trait in self.traits.items():
                losses |= {f"{name}.{key}": value for key, value in trait.losses(z, context).items()}
        if self.config.firing_floor:
            losses["firing"] = self.config.firing_floor.loss(tuple(activity))
        state = SpikeWhaleState(tuple(layers), carried, self._remembering(**remembered))
        return Output(self.logits(z), state, tuple(activity), losses), z

    def drafter(self) -> Drafter | None:
        predictor = next((trait for trait in self.traits.values() if isinstance(trait, TokenPredictor)), None)
        if predictor is None:
            return None

        def guess(hidden: Tensor, token: Tensor) -> Tensor:
            return predictor.draft(hidden, token, Context(token[:, None], None, self.table, self.logits))

        return Drafter(self.read, guess)

    def through(
        self, site: Site, hidden: Tensor, context: Context, states: dict[str, State], losses: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, State]]:
        """``hidden`` through the traits at ``site``; their states, and their losses added to ``losses``."""
        states = dict(states)
        for name, trait in self.trait_at(site):
            hidden, states[name], more = trait(hidden, states[name], context)
            losses |= {f"{name}.{key}": value for key, value in more.items()}
        return hidden, states

    def read_vocabulary(self, pieces: Sequence[bytes]) -> None:
        for trait in self.traits.values():
            trait.read_vocabulary(pieces)

    @torch.no_grad()
    def calibrate(self, tokens: Tensor, rate: float) -> dict[str, float]:
        """Layer by layer, scale ``fc_in`` until the layer fires at ``rate`` on what reaches it (fluctuation-driven
        initialisation: Rossbroich, Gygax and Zenke, 2022)."""
        keep = keep_mask(tokens, self.config.boundary, self.table)
        context = Context(tokens, keep, self.table, self.logits)
        states = self.init_state(len(tokens))
        x, _ = self.through(
            Site.INPUT, self.table[tokens] / self.config.token_unit, context, states.traits._asdict(), {}
        )
        rates = {}
        for index, (layer, params) in enumerate(zip(self.layers, self.neuron_params(), strict=True)):
            state = layer.neuron.init_state(len(tokens))
            run = lambda layer=layer, x=x, state=state, params=params: layer(x, state, params, keep)[0]  # noqa: E731
            activity, rates[str(index)] = scale_until(layer.fc_in.weight, run, rate)
            x = activity.spikes
        return rates


def _name(config: Config) -> str:
    return snake(type(config).__name__)
