"""Experts: a slot for small networks beside the MLP of a block, of which each token uses a few."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from wetware.config import Config
from wetware.state import State


@dataclass(frozen=True, kw_only=True)
class ExpertsConfig(Config):
    """A slot for experts. The MLP of the block stays, and serves every token."""

    abstract: ClassVar[bool] = True

    def build(self, *, width: int, depth: int) -> Experts:
        raise NotImplementedError


class Answered(NamedTuple):
    """What experts give: vectors [B, T, width] to add to those of the MLP, their state, losses, and evidence for their rule."""

    hidden: Tensor
    state: State = ()
    losses: Mapping[str, Tensor] = MappingProxyType({})
    evidence: Any = None


class Experts(nn.Module):
    """A causal map on vectors, neutral at the start."""

    @abstractmethod
    def init_state(self, batch: int) -> State:
        """What sequences that have read nothing leave behind."""

    @abstractmethod
    def forward(self, x: Tensor, state: Any, keep: Tensor) -> Answered:
        """x: normed vectors [B, T, width]. keep: [B, T], False at tokens that start a document."""
