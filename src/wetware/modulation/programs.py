"""Programs: where the matrix P comes from that says how much of each gene program every neuron is, and its controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Generator, Tensor

from wetware.config import Config, ConfigError, number
from wetware.modulation.effects import CLIP, PROGRAMS, program_matrix, read_effects
from wetware.parameters import Draw


@dataclass(frozen=True, kw_only=True)
class Programs(Config):
    """A slot for the source of P. ``draws``: how many genes each neuron is given. ``seed``: which."""

    abstract: ClassVar[bool] = True

    draws: int = number(3, 1, 64)
    seed: int = number(0, 0)

    @property
    def columns(self) -> int:
        return len(PROGRAMS) * self.draws

    def matrix(self, size: int, generator: Generator) -> Tensor:
        """P [size, columns]."""
        raise NotImplementedError

    def draw(self) -> Draw:
        """How a model's buffer of P is filled."""
        return partial(_fill, self.matrix)


def _fill(matrix: Callable[[int, Generator], Tensor], tensor: Tensor, generator: Generator) -> None:
    tensor.copy_(matrix(len(tensor), generator))


@dataclass(frozen=True, kw_only=True)
class CellPrograms(Programs):
    """Effects predicted by the virtual cell that comes with the package; it was trained on simulated data."""

    def matrix(self, size: int, generator: Generator) -> Tensor:
        return program_matrix(size, self.draws, self.seed).matrix


@dataclass(frozen=True, kw_only=True)
class ProgramFile(Programs):
    """Effects from a file that ``wetware cell program`` wrote. It is read when a model is first built, never again."""

    path: str

    def matrix(self, size: int, generator: Generator) -> Tensor:
        effects = read_effects(self.path)
        if effects.programs != PROGRAMS:
            raise ConfigError(f"{self.path!r}: programs {', '.join(effects.programs)}; expected {', '.join(PROGRAMS)}")
        return program_matrix(size, self.draws, self.seed, effects).matrix


@dataclass(frozen=True, kw_only=True)
class PermutedPrograms(CellPrograms):
    """Control: the rows of :class:`CellPrograms` shuffled over the neurons, anew for each seed of the weights. The same
    numbers; which neuron has which is chance. Neurons being alike at first, a model cannot tell this from the original, and
    should not."""

    def matrix(self, size: int, generator: Generator) -> Tensor:
        return super().matrix(size, generator)[torch.randperm(size, generator=generator)]


@dataclass(frozen=True, kw_only=True)
class RandomPrograms(Programs):
    """Control: independent draws from N(0, 1), cut like the others. No cell, no genes."""

    def matrix(self, size: int, generator: Generator) -> Tensor:
        generator = Generator().manual_seed(generator.initial_seed() ^ self.seed)
        return torch.randn(size, self.columns, generator=generator).clamp(-CLIP, CLIP)


@dataclass(frozen=True, kw_only=True)
class ConstantPrograms(CellPrograms):
    """Control: every neuron is given the row of the first. The strengths stay learnable; neurons cannot differ by them."""

    def matrix(self, size: int, generator: Generator) -> Tensor:
        return super().matrix(size, generator)[:1].expand(size, -1)


@dataclass(frozen=True, kw_only=True)
class ImportedPrograms(Programs):
    """P that came with somebody else's checkpoint, ``source``. The model's own checkpoint holds it; it cannot be drawn anew."""

    source: str

    def matrix(self, size: int, generator: Generator) -> Tensor:
        raise ConfigError(f"the programs of {self.source!r} are only in the checkpoint that was imported: load that")
