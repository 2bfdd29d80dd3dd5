"""Initialisation: a slot for how the weights between layers look before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from wetware.config import Config, number
from wetware.layers.cellular_automaton import cellular_automaton
from wetware.parameters import MATRIX, keyed_generator, role


@dataclass(frozen=True, kw_only=True)
class Initialisation(Config):
    """A slot for how weights between layers are drawn."""

    abstract: ClassVar[bool] = True

    def redraw(self, module: nn.Module, seed: int, within: str) -> None:
        """Change, in place, the matrices of a ``module`` whose parameters were drawn, where their path starts by ``within``."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class NormalWeights(Initialisation):
    """Each as the layer itself draws it: independent normal numbers."""

    def redraw(self, module: nn.Module, seed: int, within: str) -> None:
        """Leave everything as it is."""


@dataclass(frozen=True, kw_only=True)
class CellularAutomaton(Initialisation):
    """Weights that are the history of an elementary automaton: bits b of its rows (one an output) become
    ``deviation * z``, with z = (2 b - 1) brought to mean 0 and variance 1, and the deviation that the usual draw had.

    Each matrix has its own first row, by seed and path. One that was drawn constant (zeros) stays, and so does one too small
    for a pattern. A decoration, not a gain: weights of two values with the spectrum of normal ones at best; nothing shows that
    a model learns better from them.
    """

    abstract: ClassVar[bool] = True
    rule: ClassVar[int]

    def pattern(self, rows: int, width: int, generator: Generator) -> Tensor:
        """Bits [rows, width]."""
        return cellular_automaton(self.rule, width, rows, generator)

    @torch.no_grad()
    def redraw(self, module: nn.Module, seed: int, within: str) -> None:
        """Replace each matrix (each of a stack) by a pattern of its own."""
        for path, tensor in module.named_parameters():
            if path.startswith(within) and role(tensor) == MATRIX and tensor.ndim > 1 and not tensor.is_meta:
                generator = keyed_generator(seed, path)
                for matrix in tensor.view(-1, *tensor.shape[-2:]):
                    self._fill(matrix, generator)

    def _fill(self, matrix: Tensor, generator: Generator) -> None:
        bits = self.pattern(*matrix.shape, generator).to(matrix)
        deviation, spread = matrix.std(correction=0), bits.std(correction=0)
        if deviation > 0 and spread > 0:
            matrix.copy_((bits - bits.mean()) * (deviation / spread))


@dataclass(frozen=True, kw_only=True)
class Rule30(CellularAutomaton):
    """A chaotic rule, ``left xor (self or right)`` (Wolfram, 1983): its rows pass for random bits."""

    rule: ClassVar[int] = 30


@dataclass(frozen=True, kw_only=True)
class Rule116(CellularAutomaton):
    """A rule whose rows soon only move round the ring: 1024 of 256 bits hold 258 different ones, and a matrix of them is close
    to singular. The cure is to draw every ``fresh_every``-th row anew. The more often, the better the spectrum and the less is
    left of the automaton: at 2 half of the rows are simply random bits.
    """

    rule: ClassVar[int] = 116

    fresh_every: int = number(2, 1)

    def pattern(self, rows: int, width: int, generator: Generator) -> Tensor:
        return cellular_automaton(self.rule, width, rows, generator, self.fresh_every)
