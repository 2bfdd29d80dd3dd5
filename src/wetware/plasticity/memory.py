"""Memory: a slot for what a layer keeps of the past beside its cache."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from wetware.config import Config
from wetware.state import State


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Config):
    """A slot for a memory. It shares queries, keys and values with the attention beside it."""

    abstract: ClassVar[bool] = True

    def build(self, *, width: int, heads: int) -> Memory:
        raise NotImplementedError


class Recalled(NamedTuple):
    """What a memory gives: values [B, T, H, D] to add to those of attention, its state, and evidence for its rule."""

    values: Tensor
    state: State
    evidence: Any = None


class Memory(nn.Module):
    """A causal map on queries, keys and values with a state of constant size; adds nothing at the start."""

    @abstractmethod
    def init_state(self, batch: int) -> State:
        """What sequences that have read nothing remember."""

    @abstractmethod
    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor, state: Any, keep: Tensor) -> Recalled:
        """x: the normed vectors [B, T, width] that query, key and value [B, T, H, D] were made of; query and key are of unit
        mean square, and not rotated: what is stored under a key is found at any distance, and a matrix that outlives its
        sequence knows no positions. keep: [B, T], False at tokens that start a document; nothing before them may count."""
