"""Residual: how the blocks of a transformer are joined, and the plain way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from wetware.config import Config
from wetware.layers.attention import Span


class Passed(NamedTuple):
    """What a block gives on: vectors [B, T, width], its state, losses to add and evidence for rules, by the module's name."""

    hidden: Tensor
    state: Any
    losses: Mapping[str, Tensor] = MappingProxyType({})
    evidence: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Residual(Config):
    """A slot for how blocks are joined."""

    abstract: ClassVar[bool] = True

    def build(self, *, depth: int) -> Stack:
        raise NotImplementedError


class Stack(nn.Module):
    """Runs blocks one after the other."""

    @abstractmethod
    def forward(self, blocks: Iterable[Any], x: Tensor, states: tuple, span: Span) -> tuple[Tensor, list[Passed]]:
        """x: [B, T, width]. states: of each block. Gives the vectors after the last block, and what each block passed on."""


@dataclass(frozen=True, kw_only=True)
class ResidualStream(Residual):
    """Each block adds to one stream: ``x <- x + mix(x)``, ``x <- x + feed(x)`` (He et al., 2016)."""

    def build(self, *, depth: int) -> Stack:
        return Stream()


class Stream(Stack):
    """See :class:`ResidualStream`."""

    def forward(self, blocks: Iterable[Any], x: Tensor, states: tuple, span: Span) -> tuple[Tensor, list[Passed]]:
        passed = []
        for block, before in zip(blocks, states, strict=True):
            passed.append(block(x, before, span))
            x = passed[-1].hidden
        # what blocks said is kept; their vectors would live longer than they are needed
        return x, [part._replace(hidden=x) for part in passed]
