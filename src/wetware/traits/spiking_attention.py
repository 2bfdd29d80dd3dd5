"""Spiking linear attention: what was read is written under binary keys into one matrix a head, and asked for by binary
queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wetware.config import Config, ConfigError, number
from wetware.kernels import linear_attention, rms_norm
from wetware.kernels.lif_scan import spike
from wetware.layers import Linear
from wetware.neurons import FastSigmoid
from wetware.neurons.surrogate import Surrogate
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, Draw, constant, filled, parameter, through
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig

LONGEST = 20  # log2 of a time constant in tokens
# Mean square. One key that is found answers with about 1 / key_size; a query in vain with 0, whose gradient an ordinary RMSNorm
# would multiply by 3000.
FLOOR = 0.01


@dataclass(frozen=True, kw_only=True)
class Keys(Config):
    """A slot for what queries and keys are made of: features of ``W x``, x of unit mean square."""

    abstract: ClassVar[bool] = True

    def start(self) -> float:
        """Where the thresholds start."""
        raise NotImplementedError

    def features(self, drive: Tensor, threshold: Tensor) -> Tensor:
        """Of what ``W x`` is [..., N], and its thresholds [N]."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SpikingKeys(Keys):
    """``1[W x >= threshold]``, thresholds learned through the surrogate. They start at the normal's quantile at which a
    feature fires with probability ``rate``: if every key held half of all features, all would be found by any query."""

    rate: float = number(0.15, 0.0, 1.0, open_ends=True)
    surrogate: Surrogate = FastSigmoid()

    def start(self) -> float:
        return NormalDist().inv_cdf(1.0 - self.rate)

    def features(self, drive: Tensor, threshold: Tensor) -> Tensor:
        return spike(drive, threshold, self.surrogate.width(threshold), self.surrogate.slope)


@dataclass(frozen=True, kw_only=True)
class RealKeys(Keys):
    """``elu(W x - threshold) + 1`` (Katharopoulos et al., 2020): positive as spikes are, but real. The control that tells what
    binary keys cost; as many parameters."""

    def start(self) -> float:
        return 0.0

    def features(self, drive: Tensor, threshold: Tensor) -> Tensor:
        return functional.elu(drive - threshold) + 1.0


@dataclass(frozen=True, kw_only=True)
class Retention(Config):
    """A slot for how much of its matrix each head keeps per token: ``1 - 2^(-first - h)`` for head h = 0, 1, ..., at the start
    (Sun et al., RetNet, 2023). The time constants are ``2^(first + h)`` tokens, nearly."""

    abstract: ClassVar[bool] = True
    learned: ClassVar[bool]

    first: float = number(5.0, 0.5, 12.0)

    def draw(self) -> Draw:
        """Of the logits of the decays."""
        return through(torch.logit, partial(_doubling, self.first))


def _doubling(first: float, tensor: Tensor, generator: torch.Generator) -> None:
    tensor.copy_(1.0 - 2.0 ** -(first + torch.arange(len(tensor))))


@dataclass(frozen=True, kw_only=True)
class FixedRetention(Retention):
    """Decays that stay where they start."""

    learned: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class LearnedRetention(Retention):
    """Decays that start there and are moved by the gradient, as logits."""

    learned: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class SpikingAttention(TraitConfig):
    """Attention without a softmax, whose queries and keys are spikes; what it remembers has one size, however much was read.
    For each of ``heads`` heads, with u = rms_norm(x)::

        q_t = 1[W_q u_t >= threshold_q],  k_t = 1[W_k u_t >= threshold_k],  v_t = W_v u_t
        S_t = decay * S_{t-1} + k_t v_t^T                       S: [key_size, value_size]
        y_t = S_t^T q_t / sqrt(key_size)
        out = x + tanh(a) W_o concat_heads(silu(W_g u_t) * rms_norm(y_t)),  a = 0 at first

    Katharopoulos et al., 2020 (arXiv 2006.16236); decays, gate and norm as in RetNet (Sun et al., 2023, arXiv 2307.08621). What
    it is: an associative memory that forgets at fixed rates. A write adds a row where a key fires, a read sums the rows where
    a query does. State: S, [B, heads, key_size, value_size]; a document's start empties it.
    """

    neutral: ClassVar[bool] = True

    heads: int = number(4, 1, 20)
    key_size: int = number(32, 1, 1024)
    value_size: int = number(32, 1, 1024)
    keys: Keys = SpikingKeys()
    retention: Retention = FixedRetention()

    def check(self) -> None:
        longest = self.retention.first + self.heads - 1
        if longest > LONGEST:
            raise ConfigError(
                f"SpikingAttention: heads = {self.heads} from retention.first = {self.retention.first:g} on keep up to "
                f"2^{longest:g} tokens; allowed: 2^{LONGEST}, beyond which a decay is 1 in float32"
            )

    def build(self, place: Place) -> SpikingAttentionTrait:
        return SpikingAttentionTrait(self, place.width)


class _Features(nn.Module):
    """Queries or keys: [..., width] -> [..., size]."""

    def __init__(self, config: Keys, width: int, size: int) -> None:
        super().__init__()
        self.config = config
        self.project = Linear(width, size)
        self.threshold = parameter(size, draw=filled(config.start()), role=NEURON)

    def forward(self, u: Tensor) -> Tensor:
        # thresholds are finer than bfloat16
        return self.config.features(self.project(u).to(self.threshold.dtype), self.threshold)


class Asked(NamedTuple):
    """Queries and keys [B, T, heads, key_size], values [B, T, heads, value_size], all in the type of the parameters."""

    query: Tensor
    key: Tensor
    value: Tensor


class SpikingAttentionTrait(Trait, Counted):
    """See :class:`SpikingAttention`."""

    logit: Tensor

    def __init__(self, config: SpikingAttention, width: int) -> None:
        super().__init__()
        self.config = config
        keys, values = config.heads * config.key_size, config.heads * config.value_size
        self.query, self.key = (_Features(config.keys, width, keys) for _ in range(2))
        self.value, self.gate, self.out = Linear(width, values), Linear(width, values), Linear(values, width)
        self.opening = parameter(1, draw=filled(0.0), role=NEURON)
        draw = config.retention.draw()
        if config.retention.learned:
            self.logit = parameter(config.heads, draw=draw, role=NEURON)
        else:
            self.register_buffer("logit", constant(config.heads, draw=draw))

    def init_state(self, batch: int) -> Tensor:
        shape = (self.config.heads, self.config.key_size, self.config.value_size)
        return self.opening.new_zeros(batch, *shape)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Projections of real numbers, and per head the decay of S, the write and the read. How often queries and keys fire is
        not told here (see :meth:`trace`), so that writes and reads are counted as if all did: an upper bound."""
        names = {"query": self.query.project, "key": self.key.project, "value": self.value, "gate": self.gate}
        for name, linear in {**names, "out": self.out}.items():
            outputs, inputs = linear.weight.shape
            yield Operation(name, inputs, outputs, weights=(linear.weight,))
        for name in ("decay", "write", "read"):
            yield Operation(name, self.config.heads * self.config.key_size, self.config.value_size)

    def asked(self, u: Tensor) -> Asked:
        """What vectors of unit mean square [B, T, width] ask, and what they write."""
        parts = self.query(u), self.key(u), self.value(u).to(self.opening.dtype)
        return Asked(*(part.unflatten(-1, (self.config.heads, -1)) for part in parts))

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        u = rms_norm(hidden)
        asked = self.asked(u)
        with torch.autocast(hidden.device.type, enabled=False):  # sums over whole documents
            keep = None if context.keep is None else context.keep.to(asked.value.dtype)
            found, state = linear_attention(*asked, state, torch.sigmoid(self.logit), keep)
            found = rms_norm(found, FLOOR).flatten(-2)
        return Passed(hidden + torch.tanh(self.opening) * self.out(functional.silu(self.gate(u)) * found), state)

    def trace(self, hidden: Tensor, state: Any, context: Context) -> Mapping[str, Tensor]:
        """``queries`` and ``keys``: the mean of the features of all heads at each token; of spikes, the share that fired."""
        asked = self.asked(rms_norm(hidden))
        return {"queries": asked.query.mean((-2, -1)), "keys": asked.key.mean((-2, -1))}
