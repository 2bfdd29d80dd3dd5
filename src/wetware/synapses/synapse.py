"""Synapse: what lies between a query and the keys it asks, and the slots for what may happen there."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config
from wetware.kernels import Choice, causal_mix, causal_mix_twice, causal_scores, inhibited_softmax
from wetware.state import State
from wetware.synapses import synapse_token
from wetware.synapses.distance import DistanceBarrier
from wetware.synapses.septin import SeptinInhibition
from wetware.synapses.two_hop import TwoHop


@dataclass(frozen=True, kw_only=True)
class Release(Config):
    """A slot for what a synapse makes of its score: transmitter release, or a control of it."""

    abstract: ClassVar[bool] = True

    def build(self, *, heads: int, layer: int) -> Transmission:
        raise NotImplementedError


class Transmission(nn.Module):
    """A map on scores with a state for each (head, key), causal, and neutral at the start."""

    @abstractmethod
    def init_state(self, batch: int) -> Tensor:
        """The state of no key yet, [B, H, F, 0]."""

    @abstractmethod
    def forward(self, scores: Tensor, state: Tensor, first: Tensor, time: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [B, H, Q, K] and the state [B, H, F, K - Q] of the keys before the chunk, to scores and the state of all K
        keys.

        first: [B, Q], the oldest key that each query sees; scores of others become minus infinity. time: position of the first
        query. tokens: [B, Q], what stands there.
        """


@dataclass(frozen=True, kw_only=True)
class Synapse(Config):
    """What may happen between a query and the keys it asks::

        d_tj = q_t . k_j / sqrt(D)
        d    <- release(d)                  vesicles, or a control of them
        d    <- d - b log(1 + t - j)        distance
        a_t  = softmax_j(d)
        a    <- septin(a)                   neighbouring keys inhibit each other
        y_t  = sum_j a_tj v_j  (+ mu sum_j a_tj y_j, two hops)

    Each part may be absent; with none this is attention itself.
    """

    release: Release | None = None
    distance: DistanceBarrier | None = None
    septin: SeptinInhibition | None = None
    two_hop: TwoHop | None = None

    def build(self, *, heads: int, layer: int) -> SynapticCleft:
        return SynapticCleft(self, heads, layer)


class CleftState(NamedTuple):
    """release: of each (head, key), [B, H, F, K]. hops: what each token's first hop brought, [B, K, H, D]."""

    release: State
    hops: State


class SynapticCleft(nn.Module):
    """See :class:`Synapse`."""

    def __init__(self, config: Synapse, heads: int, layer: int) -> None:
        super().__init__()
        self.config = config
        self.release = config.release.build(heads=heads, layer=layer) if config.release else None
        self.distance = config.distance.build(heads) if config.distance else None
        self.septin = config.septin.build(heads) if config.septin else None
        self.two_hop = config.two_hop.build(heads) if config.two_hop else None

    def init_state(self, batch: int) -> CleftState:
        hops = self.two_hop.strength.new_zeros(batch, 0) if self.two_hop else ()
        return CleftState(self.release.init_state(batch) if self.release else (), hops)

    def forward(
        self,
        query: Tensor,
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
        first: Tensor,
        state: CleftState,
        time: int,
        tokens: Tensor,
        dropped: int,
    ) -> tuple[Tensor, CleftState]:
        """Mixed values [B, Q, H, D] and the state of all keys but the ``dropped`` oldest. query, keys, values, first as in the
        op ``attention``; ``time`` is the position of the first query."""
        return ask(self, query, keys, values, first, state, time, tokens, dropped)

    def chunk(
        self,
        query: Tensor,
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
        first: Tensor,
        state: CleftState,
        time: int,
        tokens: Tensor,
        dropped: int,
    ) -> tuple[Tensor, CleftState]:
        """``forward`` by the formulas."""
        scores = self.scores(query, keys)
        release = ()
        if self.release:
            scores, release = self.release(scores, state.release, first, time, tokens)
            release = release[..., dropped:].clone() if dropped else release
        slope = self.distance.slope if self.distance else None
        strength = self.septin.pull() if self.septin else None
        window = self.septin.window if self.septin else 1
        shares = inhibited_softmax(scores, first, slope, strength, window)
        if not self.two_hop:
            return mix(shares, values), CleftState(release, ())
        own, again, hops = hop_twice(shares, values, state.hops)
        hops = hops[:, dropped:].clone() if dropped else hops
        return own + self.two_hop.strength[:, None] * again, CleftState(release, hops)

    def scores(self, query: Tensor, keys: tuple[Tensor, ...]) -> Tensor:
        """``q_t . k_j / sqrt(D)``, [B, H, Q, K], 0 where key j comes after query t; the segments are not joined, for a cache
        would be copied at every token. The last one is that of the queries."""
        query, (*before, own) = (query * query.shape[-1] ** -0.5).transpose(1, 2), keys
        parts = [*(query @ key.permute(0, 2, 3, 1) for key in before), causal_scores(query, own.transpose(1, 2))]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)


def mix(shares: Tensor, values: tuple[Tensor, ...]) -> Tensor:
    """``sum_j a_tj v_j`` [B, Q, H, D] over segments of values [B, S, H, D], of which the last is that of the queries."""
    *before, own = [shares] if len(values) == 1 else shares.split([value.shape[1] for value in values], -1)
    parts = [share @ value.transpose(1, 2) for share, value in zip(before, values[:-1], strict=True)]
    parts.append(causal_mix(own, values[-1].transpose(1, 2)))
    return (parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)).transpose(1, 2)


def hop_twice(shares: Tensor, values: tuple[Tensor, ...], hops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What :func:`mix` makes of the values, and what it makes of that, [B, Q, H, D]; and the first of these for all tokens so
    far, ``hops`` being that of the tokens before."""
    if not hops.shape[1]:  # the first tokens: all shares are of each other
        own, again = (each.transpose(1, 2) for each in causal_mix_twice(shares, values[-1].transpose(1, 2)))
        return own, again, own
    own = mix(shares, values)
    return own, mix(shares, (hops, own)), torch.cat([hops, own], 1)


ask = Choice("synapses", SynapticCleft.chunk)
ask.backend("numba", synapse_token.refuses)(synapse_token.run)
