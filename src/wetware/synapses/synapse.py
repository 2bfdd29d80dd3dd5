"""Synapse: what lies between a query and the keys it asks, and the slots for what may happen there."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config
from wetware.kernels.attention.reference import visible


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

        first: [B, Q], the oldest key that each query sees; what is made of others does not matter. time: position of the first
        query. tokens: [B, Q], what stands there.
        """


@dataclass(frozen=True, kw_only=True)
class Synapse(Config):
    """What may happen between a query and the keys it asks::

        d_tj   = q_t . k_j / sqrt(D)
        d      <- release(d)                    vesicles, or a control
        a_t    = softmax_j(d)
        y_t    = sum_j a_tj v_j

    Each part may be absent; with none this is attention itself.
    """

    release: Release | None = None

    def build(self, *, heads: int, layer: int) -> SynapticCleft:
        return SynapticCleft(self, heads, layer)


class SynapticCleft(nn.Module):
    """See :class:`Synapse`."""

    def __init__(self, config: Synapse, heads: int, layer: int) -> None:
        super().__init__()
        self.config = config
        self.release = config.release.build(heads=heads, layer=layer) if config.release else None

    def init_state(self, batch: int) -> Any:
        return self.release.init_state(batch) if self.release else ()

    def forward(
        self,
        query: Tensor,
        keys: tuple[Tensor, ...],
        values: tuple[Tensor, ...],
        first: Tensor,
        state: Any,
        time: int,
        tokens: Tensor,
        dropped: int,
    ) -> tuple[Tensor, Any]:
        """Mixed values [B, Q, H, D] and the state of all keys but the ``dropped`` oldest. query, keys, values, first as in the
        op ``attention``."""
        scores = torch.cat([torch.einsum("bqhd,bkhd->bhqk", query * query.shape[-1] ** -0.5, key) for key in keys], -1)
        if self.release:
            scores, state = self.release(scores, state, first, time, tokens)
            state = state[..., dropped:].clone() if dropped else state
        scores = scores.masked_fill(~visible(first, scores.shape[-1])[:, None], -torch.inf)
        shares = scores.softmax(-1).split([value.shape[1] for value in values], -1)
        parts = [torch.einsum("bhqk,bkhd->bqhd", share, value) for share, value in zip(shares, values, strict=True)]
        return torch.stack(parts).sum(0), state
