"""Consolidation: between steps, slow weights move toward what fast weights held."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Generator, Tensor, nn

from wetware.config import Config, number
from wetware.parameters import constant, keyed_generator
from wetware.plasticity.rule import Between, Rule


@dataclass(frozen=True, kw_only=True)
class Direction(Config):
    """A slot for where a consolidation moves to."""

    abstract: ClassVar[bool] = True

    @abstractmethod
    def turned(self, move: Tensor, dice: Generator) -> Tensor:
        """``move`` [H, D, D], or another of the same norm in each head."""


@dataclass(frozen=True, kw_only=True)
class Toward(Direction):
    """Toward the fast weights themselves."""

    def turned(self, move: Tensor, dice: Generator) -> Tensor:
        return move


@dataclass(frozen=True, kw_only=True)
class RandomDirection(Direction):
    """As far, in a direction drawn anew each time from the run's seed, the step and the layer: the control of
    :class:`Toward`. Whatever it does as well, the content of the fast weights was not the reason."""

    def turned(self, move: Tensor, dice: Generator) -> Tensor:
        drawn = torch.randn(move.shape, generator=dice).to(move)
        return drawn * (_norm(move) / _norm(drawn))


@dataclass(frozen=True, kw_only=True)
class Consolidation(Config):
    """A rule of slow weights S [H, D, D]. Every ``every`` steps, with M the mean over the batch of ``m A``, A the fast weights
    at the end of the chunk and m the CaMKII of the head there (1 without a latch)::

        S <- S + rate M min(1, limit / |M|)         |M| of each head (Frobenius)

    It adds to what the gradient does to S. Nothing moves while a model reads: evaluation changes no bit. After the two stores
    of McClelland, McNaughton and O'Reilly, 1995. Its control is ``direction = RandomDirection()``.
    """

    neutral: ClassVar[bool] = True

    rate: float = number(0.01, 0.0, 1.0)
    every: int = number(16, 1, 1_000_000)
    limit: float = number(1.0, 0.0, 1e6, open_ends=True)
    direction: Direction = Toward()


class Held(NamedTuple):
    """Evidence: the mean over the batch of ``m A``, [H, D, D], cut from the graph."""

    matrix: Tensor


def layer_number() -> Tensor:
    """A number for ``register_buffer`` that is drawn by its path, so that layers can draw different things later."""
    return constant(1, draw=_any_number, dtype=torch.long)


def _any_number(tensor: Tensor, generator: Generator) -> None:
    tensor.random_(generator=generator)


def _norm(matrices: Tensor) -> Tensor:
    return torch.linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True)


class Consolidating(Rule):
    """See :class:`Consolidation`."""

    def __init__(self, config: Consolidation, slow: nn.Parameter, layer: Tensor) -> None:
        self.config, self.slow, self.layer = config, slow, layer

    @torch.no_grad()
    def apply(self, between: Between) -> list[dict[str, Any]]:
        if between.step % self.config.every or not between.evidence:
            return []
        parts: list[Tensor] = [share * held.matrix for share, held in between.evidence]
        mean = between.together(torch.stack(parts).sum(0))
        limited = mean * (self.config.limit / _norm(mean).clamp_min(self.config.limit))
        dice = keyed_generator(between.seed, f"consolidation/{int(self.layer)}/{between.step}")
        move = self.config.rate * self.config.direction.turned(limited, dice)
        self.slow += move.to(self.slow)
        return [{"what": "consolidated", "moved": float(move.norm()), "slow": float(self.slow.norm())}]
