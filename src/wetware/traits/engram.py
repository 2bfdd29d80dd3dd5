"""Engram: a memory of word sequences, looked up by the hash of the last tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from wetware.config import Config, number
from wetware.kernels import rms_norm
from wetware.layers import Linear
from wetware.layers.spike_encoder import DEVIATION
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import EMBEDDING, NEURON, constant, filled, normal, parameter
from wetware.state import State
from wetware.traits.trait import Context, Passed, Place, Site, Trait, TraitConfig


@dataclass(frozen=True, kw_only=True)
class DepthwiseConvolution(Config):
    """``silu(sum_i w_i * rms_norm(u)_{t - i d})`` for i < ``kernel``, each channel alone, d the longest n-gram; w starts at 0.
    What belongs to another document counts as 0."""

    kernel: int = number(4, 2, 16)

    def build(self, width: int, dilation: int) -> CausalConvolution:
        return CausalConvolution(self, width, dilation)


class CausalConvolution(nn.Module, Counted):
    """See :class:`DepthwiseConvolution`. State: the last ``(kernel - 1) * dilation`` normalised vectors, [B, past, width]."""

    def __init__(self, config: DepthwiseConvolution, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.past = dilation, (config.kernel - 1) * dilation
        self.taps = parameter(config.kernel, width, draw=filled(0.0), role=NEURON)

    def init_state(self, batch: int) -> Tensor:
        return self.taps.new_zeros(batch, self.past, self.taps.shape[1])

    def operations(self, work: Workload) -> Iterator[Operation]:
        yield Operation("taps", *self.taps.shape, weights=(self.taps,))

    def forward(self, values: Tensor, state: Tensor, starts: Tensor | None) -> tuple[Tensor, Tensor]:
        line = Line(state, rms_norm(values), starts)
        mixed = sum(tap * line.back(index * self.dilation, 0.0) for index, tap in enumerate(self.taps))
        return functional.silu(mixed), line.last(self.past, 0.0)


class Line:
    """What came one after the other, [B, past + T, ...]: that of a state, then that of this chunk. ``starts`` [B, T] is true
    where a document starts: what stands before it is not seen from there on."""

    def __init__(self, state: Tensor, chunk: Tensor, starts: Tensor | None) -> None:
        self.items, self.past, self.length = torch.cat([state, chunk], 1), state.shape[1], chunk.shape[1]
        # which document each item belongs to, counted from the one that was being read before
        self.document = None if starts is None else functional.pad(starts.cumsum(1), (self.past, 0))

    def back(self, distance: int, missing: float) -> Tensor:
        """[B, T, ...]: what stands ``distance`` before each item of the chunk; ``missing`` where another document does."""
        return self._seen(
            slice(self.past - distance, self.past - distance + self.length), slice(self.past, None), missing
        )

    def last(self, size: int, missing: float) -> Tensor:
        """[B, size, ...]: what the next chunk may look back at."""
        return self._seen(slice(self.items.shape[1] - size, None), slice(-1, None), missing)

    def _seen(self, places: slice, by: slice, missing: float) -> Tensor:
        items = self.items[:, places]
        if self.document is None:
            return items
        hidden = self.document[:, places] != self.document[:, by]
        return items.masked_fill(hidden.reshape(*hidden.shape, *[1] * (items.ndim - 2)), missing)


@dataclass(frozen=True, kw_only=True)
class Engram(TraitConfig):
    """Rows of tables, chosen by a hash of the last n tokens, are added to the token's vector as far as a gate lets them::

        row   = (XOR_{j<n} m_{n,k,j} c_{t-j}) mod M_{n,k}           n = 2 .. max_ngram, k = 1 .. heads; c: canonical tokens
        e_t   = concat_{n,k} table_{n,k}[row]
        g_t   = (1 + erf(alpha q + b)) / 2,  q = <rms_norm(x), rms_norm(W_K e)> / sqrt(width)
        u_t   = g_t W_V e_t
        y_t   = x_t + tanh(a) (u_t + convolution(u)_t)               a starts at 0

    m are odd 64-bit numbers drawn by the seed, M different primes above ``slots``; rows have ``dimension`` numbers. Tokens
    that are equal after NFKC, lower-casing and without a leading space share a canonical id, once the vocabulary has been
    read. Tokens before a document's start count as a token that does not exist. It is a lookup of exact short contexts: rows
    collide, and what it knows is which tokens tend to follow.

    Cheng et al., Engram: Conditional Memory via Scalable Lookup, 2026 (arXiv 2601.07372), with one site, at the input; the
    gate is the erf of Derf (arXiv 2512.10938). State: the last ``max_ngram - 1`` canonical ids, what the convolution reaches.
    """

    neutral: ClassVar[bool] = True
    site: ClassVar[Site] = Site.INPUT

    slots: int = number(4096, 2, 2**30)
    dimension: int = number(32, 1)
    heads: int = number(2, 1, 64)
    max_ngram: int = number(3, 2, 8)
    gate_slope: float = number(1.0, 0.0, 10.0)
    gate_bias: float = number(-1.0, -4.0, 4.0)
    convolution: DepthwiseConvolution | None = DepthwiseConvolution()

    def build(self, place: Place) -> EngramMemory:
        return EngramMemory(self, place)


class EngramState(NamedTuple):
    """tokens: canonical ids, int64 [B, max_ngram - 1], oldest first. values: what the convolution keeps, or ()."""

    tokens: Tensor
    values: State


class EngramMemory(Trait, Counted):
    """See :class:`Engram`."""

    canonical: Tensor
    multipliers: Tensor
    primes: Tensor
    offsets: Tensor

    def __init__(self, config: Engram, place: Place) -> None:
        super().__init__()
        self.config, self.nobody = config, place.vocab_size
        tables = (config.max_ngram - 1) * config.heads
        sizes = list(islice(primes_above(config.slots), tables))
        primes = torch.tensor(sizes).reshape(config.max_ngram - 1, config.heads)
        self.register_buffer("canonical", torch.arange(place.vocab_size))
        shape = (config.max_ngram - 1, config.heads, config.max_ngram)
        self.register_buffer("multipliers", constant(*shape, draw=odd, dtype=torch.int64))
        self.register_buffer("primes", primes, persistent=False)
        self.register_buffer(
            "offsets", (primes.flatten().cumsum(0) - primes.flatten()).view_as(primes), persistent=False
        )
        # all tables in one: a lookup is one gather, and its gradient one scatter
        self.tables = parameter(sum(sizes), config.dimension, draw=normal(DEVIATION), role=EMBEDDING)
        self.key = Linear(tables * config.dimension, place.width)
        self.value = Linear(tables * config.dimension, place.width)
        self.slope = parameter(1, draw=filled(config.gate_slope), role=NEURON)
        self.bias = parameter(1, draw=filled(config.gate_bias), role=NEURON)
        self.amount = parameter(1, draw=filled(0.0), role=NEURON)
        if config.convolution:
            self.convolution = config.convolution.build(place.width, config.max_ngram)

    def init_state(self, batch: int) -> EngramState:
        tokens = torch.full((batch, self.config.max_ngram - 1), self.nobody, device=self.canonical.device)
        return EngramState(tokens, self.convolution.init_state(batch) if self.config.convolution else ())

    def read_vocabulary(self, pieces: Sequence[bytes]) -> None:
        if len(pieces) != len(self.canonical):
            raise ValueError(f"{len(pieces)} pieces for {len(self.canonical)} tokens")
        self.canonical.copy_(torch.tensor(canonical_ids(pieces)))

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Rows are looked up: nothing is computed for that."""
        yield Operation("tables", 0, self.config.dimension, weights=(self.tables,))
        for name, linear in (("key", self.key), ("value", self.value)):
            yield Operation(name, linear.weight.shape[1], linear.weight.shape[0], weights=(linear.weight,))

    def rows(self, line: Line) -> Tensor:
        """Which row of the tables each n-gram that ends at each token has: [B, T, max_ngram - 1, heads]."""
        # products wrap around at 64 bits, as they should; what is left after division by a prime is never negative
        found, mixed = [], line.back(0, self.nobody)[..., None, None] * self.multipliers[:, :, 0]
        for distance in range(1, self.config.max_ngram):
            token = line.back(distance, self.nobody)[..., None, None]
            mixed = mixed ^ token * self.multipliers[:, :, distance]
            found.append(mixed[..., distance - 1, :])
        return torch.stack(found, -2).remainder(self.primes) + self.offsets

    def forward(self, hidden: Tensor, state: EngramState, context: Context) -> Passed:
        starts = None if context.keep is None else context.keep == 0
        line = Line(state.tokens, self.canonical[context.tokens], starts)
        looked_up = functional.embedding(self.rows(line), self.tables).flatten(-3) / DEVIATION
        alike = (rms_norm(hidden) * rms_norm(self.key(looked_up))).sum(-1, keepdim=True) * hidden.shape[-1] ** -0.5
        gate = 0.5 + 0.5 * torch.erf(self.slope * alike + self.bias)
        given, kept = gate * self.value(looked_up), state.values
        if self.config.convolution:
            mixed, kept = self.convolution(given, kept, starts)
            given = given + mixed
        tokens = line.last(self.config.max_ngram - 1, self.nobody)
        return Passed(hidden + torch.tanh(self.amount) * given, EngramState(tokens, kept))


def odd(tensor: Tensor, generator: Generator) -> None:
    """Draw odd numbers, from all that 64 bits with a sign can hold."""
    tensor.copy_(2 * torch.randint(-(2**62), 2**62, tensor.shape, generator=generator) + 1)


def primes_above(least: int) -> Iterator[int]:
    """The primes greater than ``least``, in order."""
    return (n for n in count(max(least + 1, 2)) if all(n % divisor for divisor in range(2, int(n**0.5) + 1)))


def canonical_ids(pieces: Sequence[bytes]) -> list[int]:
    """For each token, the first that is equal to it after NFKC, lower-casing and without a leading space. Tokens that are no
    whole characters, or nothing but a space, stand for themselves."""
    first: dict[str, int] = {}
    ids = []
    for token, piece in enumerate(pieces):
        try:
            text = unicodedata.normalize("NFKC", piece.decode()).lower()
        except UnicodeDecodeError:
            text = ""
        text = text.removeprefix(" ") or text
        ids.append(first.setdefault(text, token) if text else token)
    return ids
