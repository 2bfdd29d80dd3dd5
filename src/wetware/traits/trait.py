"""What every trait is: an optional part at a point of a spiking model where signals are continuous."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config
from wetware.kernels import cross_entropy
from wetware.neurons import Activity
from wetware.state import State


class Site(Enum):
    """Where a trait stands. INPUT: between the token's vector and the current of the first layer. READOUT: between the vector
    that is read from all membranes and the logits."""

    INPUT = "input"
    READOUT = "readout"


class Place(NamedTuple):
    """What a trait is built into. width: numbers in a hidden vector. neurons: in a layer. layers: of neurons. vocab_size:
    tokens. boundary: the token that starts a document, or None."""

    width: int
    neurons: int
    layers: int
    vocab_size: int
    boundary: int | None


class Context(NamedTuple):
    """What a trait may look at beside its hidden vectors.

    tokens: [B, T]. keep: [B, T], 0 at tokens that start a document (nothing before them counts), or None when nothing starts
    one. table: [V, width] of token vectors. logits: from hidden vectors [..., width] to logits [..., V], as the model makes
    them. activity: of each layer of neurons; empty at the input.
    """

    tokens: Tensor
    keep: Tensor | None
    table: Tensor
    logits: Callable[[Tensor], Tensor]
    activity: tuple[Activity, ...] = ()


class Passed(NamedTuple):
    """What a trait gives on: hidden vectors [B, T, width], its own state, and losses to add (named scalars)."""

    hidden: Tensor
    state: State = ()
    losses: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class TraitConfig(Config):
    """A slot for a trait. ``site`` says where it stands; those at one site follow each other in the order of the config.
    ``only_losses``: it gives vectors and state on as they were, so that who writes text may leave it out."""

    abstract: ClassVar[bool] = True
    site: ClassVar[Site] = Site.READOUT
    only_losses: ClassVar[bool] = False

    def build(self, place: Place) -> Trait:
        raise NotImplementedError


class Trait(nn.Module):
    """A map on hidden vectors of unit size, causal and with a state of constant size, that starts as (nearly) the identity:
    ``y = x + tanh(a) F(x)`` with ``a = 0`` and F alive. A gate of zero before an output of zero would never wake up.

    Losses are made only where gradients are recorded: nobody else would use them.
    """

    def init_state(self, batch: int) -> State:
        """What ``batch`` sequences that have read nothing leave behind; () when there is nothing to remember."""
        return ()

    def read_vocabulary(self, pieces: Sequence[bytes]) -> None:
        """See :meth:`wetware.models.LanguageModel.read_vocabulary`."""

    @abstractmethod
    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        """Hidden vectors [B, T, width] after those that left ``state``."""

    def losses(self, hidden: Tensor, context: Context) -> Mapping[str, Tensor]:
        """Losses of the vectors [B, T, width] that the logits are made of, after all traits."""
        return {}

    def trace(self, hidden: Tensor, state: Any, context: Context) -> Mapping[str, Tensor]:
        """What can be looked at: named signals [B, T, ...], of what :meth:`forward` is given."""
        return {}


def loss_ahead(logits: Tensor, context: Context, ahead: int) -> Tensor:
    """Mean cross-entropy, in nats, of predicting ``tokens[t + ahead]`` at each t that has it in this chunk.

    ``logits`` [B, T, V], or those of the first T - ahead places. Targets beyond the start of another document are left out: but
    for that start itself, nothing before it foretells them. 0, with a gradient, when there is no target.
    """
    tokens, keep = context.tokens, context.keep
    places = tokens.shape[1] - ahead
    if places < 1:
        return 0.0 * logits.sum()
    logits, targets = logits[:, :places], tokens[:, ahead:]
    if keep is None or ahead == 1:
        return cross_entropy(logits.flatten(0, 1), targets.flatten())
    whole = torch.stack([keep[:, 1 + between : 1 + between + places] for between in range(ahead - 1)]).prod(0).bool()
    if not whole.any():
        return 0.0 * logits.sum()
    return cross_entropy(logits[whole], targets[whole])
