"""What every language model is: tokens and state in, logits and state out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, final

import torch
from torch import Tensor, nn

from wetware.config import Config, ConfigError, number
from wetware.modulation import NEUTRAL, Modulator, Signals, SignalTracker
from wetware.neurons import Activity, NeuronParams
from wetware.parameters import initialize
from wetware.plasticity import Between, Rule, Ruled
from wetware.state import State


class Output(NamedTuple):
    """What a model says.

    logits: [B, T, V] ([B, V] from ``step``). state: what the tokens leave behind. activity: one :class:`Activity` for each
    layer of neurons. losses: named scalars to add to the cross-entropy in training. evidence: by the path of a module, what its
    rule wants to know of this chunk (:mod:`wetware.plasticity.rule`); made only where gradients are recorded.
    """

    logits: Tensor
    state: State
    activity: tuple[Activity, ...] = ()
    losses: Mapping[str, Tensor] = MappingProxyType({})
    evidence: Mapping[str, Any] = MappingProxyType({})


class Drafter(NamedTuple):
    """How a model guesses one token further than its logits tell.

    read: like ``forward``, from (tokens [B, T], state) to the output and hidden vectors [B, T, D]. guess: from the hidden
    vector [B, D] that foretold a token and that token [B] to logits [B, V] of what follows it, before it is read.
    """

    read: Callable[[Tensor, State], tuple[Output, Tensor]]
    guess: Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """A slot for a model.

    vocab_size: number of tokens. boundary: the token that starts a document; before it is read, a sequence's state is
    forgotten. None means that no token does that.
    """

    abstract: ClassVar[bool] = True

    vocab_size: int = number(4096, 1)
    boundary: int | None = number(None, 0)

    def check(self) -> None:
        if self.boundary is not None and self.boundary >= self.vocab_size:
            raise ConfigError(f"boundary = {self.boundary} is no token: vocab_size is {self.vocab_size}")

    def build(self, seed: int = 0) -> LanguageModel:
        """The model, its parameters drawn from ``seed``."""
        model = self.module()
        initialize(model, seed)
        return model

    def module(self) -> LanguageModel:
        """The model before its parameters are drawn."""
        raise NotImplementedError

    @classmethod
    def tiny(cls) -> ModelConfig:
        """A config of test size with every default mechanism on."""
        raise NotImplementedError


class LanguageModel(nn.Module):
    """Base of every model. ``forward`` takes whole chunks; ``step`` is the same function on one token."""

    config: Any  # a ModelConfig; each model narrows it

    @property
    def vocab_size(self) -> int:
        return self.config.vocab_size

    @abstractmethod
    def init_state(self, batch: int) -> State:
        """The state of ``batch`` sequences that have read nothing."""

    @abstractmethod
    def forward(self, tokens: Tensor, state: State | None = None, *, signals: Signals = NEUTRAL) -> Output:
        """Read ``tokens`` [B, T] after ``state`` (None: nothing read yet). Changes neither the state given nor the model."""

    @final
    def step(self, token: Tensor, state: State, *, signals: Signals = NEUTRAL) -> Output:
        """Read one token [B]; ``forward`` with T = 1."""
        output = self(token[:, None], state, signals=signals)
        return output._replace(logits=output.logits[:, 0])

    def read_vocabulary(self, pieces: Sequence[bytes]) -> None:
        """Hear which bytes of text each token stands for (none: the boundary), once, before training. Parts that relate tokens
        by their spelling keep what they make of it in buffers."""

    def calibrate(self, tokens: Tensor, rate: float) -> dict[str, float]:
        """Scale the input weights, on ``tokens`` [B, T], until each layer of neurons fires at ``rate``; report the rates.
        A model without neurons has nothing to do."""
        return {}

    def neuron_params(self, signals: Signals = NEUTRAL) -> tuple[NeuronParams, ...]:
        """The parameters of each layer of neurons as modulators leave them, in the order of the activity."""
        return ()

    def signal_trackers(self) -> dict[str, SignalTracker]:
        """Of each signal that a part of this model reads, by its name in :class:`Signals`: what keeps its value in training."""
        return {}

    def drafter(self) -> Drafter | None:
        """What drafts for this model (:class:`wetware.models.engines.DraftingEngine`), or None when no part has learned to."""
        return None

    def rules(self) -> dict[str, Rule]:
        """What changes weights between optimizer steps, by the path of the module that it belongs to."""
        found: dict[str, Rule] = {}
        for path, module in self.named_modules():
            if isinstance(module, Ruled) and (rule := module.rule()):
                found[path] = rule
            elif isinstance(module, Modulator) and module.remembers:
                found[path] = Remembering(module)
        return found

    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())


class Remembering(Rule):
    """Lets a modulator keep the last signals of training, for use."""

    def __init__(self, modulator: Modulator) -> None:
        self.modulator = modulator

    def apply(self, between: Between) -> list[dict[str, Any]]:
        if between.signals is not None:
            self.modulator.remember(between.signals)
        return []


def reconfigured(model: LanguageModel, config: ModelConfig) -> LanguageModel:
    """The model that ``config`` describes, with the weights and buffers of ``model``, which must have all that it needs."""
    made = config.module()
    names = made.state_dict().keys()
    made.load_state_dict({name: tensor for name, tensor in model.state_dict().items() if name in names})
    return made.to(next(model.parameters()).device)


@dataclass(frozen=True, kw_only=True)
class FiringTarget(Config):
    """``weight * mean over layers of (mean firing rate - rate)^2``, added to the loss: sparseness by gradient, not by moving
    thresholds. At a weight of 2 first layers sink towards silence; at 50 every layer stays near the target. Of graded neurons
    it is the mean output that is held there."""

    neutral: ClassVar[bool] = True

    rate: float = number(0.10, 0.0, 1.0)
    weight: float = number(50.0, 0.0)

    def loss(self, activity: tuple[Activity, ...]) -> Tensor:
        rates = torch.stack([layer.spikes.mean() for layer in activity])
        return self.weight * (rates - self.rate).square().mean()


def keep_mask(tokens: Tensor, boundary: int | None, like: Tensor) -> Tensor | None:
    """[B, T]: 0 at tokens that start a document, 1 elsewhere; None when nothing starts one."""
    return None if boundary is None else (tokens != boundary).to(like.dtype)


def checked_tokens(tokens: Tensor, vocab_size: int) -> Tensor:
    """``tokens`` as int64. Raises ValueError for what is no batch of tokens: masks, fractions, other shapes, other numbers."""
    fractional = tokens.dtype.is_floating_point or tokens.dtype.is_complex or tokens.dtype == torch.bool
    if tokens.ndim != 2 or fractional or 0 in tokens.shape:
        raise ValueError(f"tokens: expected integers [B, T] with B, T >= 1, got {tokens.dtype} {list(tokens.shape)}")
    tokens = tokens.long()
    if tokens.device.type == "cpu" and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocab_size:
        raise ValueError(f"tokens from {int(tokens.min())} to {int(tokens.max())}: allowed 0 to {vocab_size - 1}")
    return tokens
