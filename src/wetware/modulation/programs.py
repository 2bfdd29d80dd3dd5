"""Programs: the matrix P that says how much of each gene program every neuron is.

A virtual cell (:mod:`wetware.cell`) predicts what knocking a gene down does to six gene programs. A neuron is given a gene, and
with it that gene's effects; several independent draws of genes stand side by side. The matrix is fixed, and saved with a model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from wetware.config import Config, ConfigError, number
from wetware.parameters import Draw

PROGRAMS = ("cell_division", "neuron_identity", "pluripotency", "endocrine", "metabolism", "signaling_identity")
LIMIT = 3.0  # standard deviations: beyond, one gene would decide a neuron alone


class ProgramEffects(NamedTuple):
    """genes: names, G. effects: [G, 6], change of each program's score when the gene is knocked down. source: ``real`` or
    ``synthetic``, as the cell that predicted them."""

    genes: tuple[str, ...]
    effects: Tensor
    source: str


def read_effects(path: str | Path) -> ProgramEffects:
    """Effects as ``wetware cell program`` writes them (JSON). Raises ConfigError for a file that is not that."""
    try:
        return _parsed(Path(path).expanduser().read_text())
    except OSError as error:
        raise ConfigError(f"no program file {str(path)!r}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{str(path)!r} is no file of program effects: {error}") from None


@cache
def packaged_effects() -> ProgramEffects:
    """Effects predicted by a cell that was trained on simulated data (``source`` says so)."""
    return _parsed(files("wetware.modulation").joinpath("synthetic_effects.json").read_text())


def _parsed(text: str) -> ProgramEffects:
    data = json.loads(text)
    if tuple(data["programs"]) != PROGRAMS:
        raise ValueError(f"programs are {', '.join(map(str, data['programs']))}; expected {', '.join(PROGRAMS)}")
    effects = torch.tensor(list(data["effects"].values()), dtype=torch.float32)
    if effects.ndim != 2 or effects.shape[1] != len(PROGRAMS) or len(effects) < 2 or not effects.isfinite().all():
        raise ValueError(
            f"effects are {list(effects.shape)}; expected finite numbers [2 or more genes, {len(PROGRAMS)}]"
        )
    return ProgramEffects(tuple(data["effects"]), effects, str(data["source"]))


def assign_genes(genes: int, size: int, generator: Generator) -> Tensor:
    """[size]: a gene for each neuron; every gene is given out before one is given out again."""
    rounds = -(-size // genes)
    return torch.cat([torch.randperm(genes, generator=generator) for _ in range(rounds)])[:size]


def program_matrix(effects: Tensor, size: int, draws: int, seed: int) -> Tensor:
    """P [size, 6 * draws]: the effects of each neuron's gene, draw beside draw, each column with mean 0 and deviation 1 over
    the neurons, cut at three deviations."""
    columns = []
    for draw in range(draws):
        generator = Generator().manual_seed(seed * 1009 + draw)
        columns.append(effects[assign_genes(len(effects), size, generator)])
    matrix = torch.cat(columns, 1)
    deviation = matrix.std(0, correction=0)
    matrix = (matrix - matrix.mean(0)) / torch.where(deviation > 0, deviation, 1.0)
    return matrix.clamp(-LIMIT, LIMIT)


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
        return program_matrix(packaged_effects().effects, size, self.draws, self.seed)


@dataclass(frozen=True, kw_only=True)
class ProgramFile(Programs):
    """Effects from a file that ``wetware cell program`` wrote. It is read when a model is first built, never again."""

    path: str

    def matrix(self, size: int, generator: Generator) -> Tensor:
        return program_matrix(read_effects(self.path).effects, size, self.draws, self.seed)


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
        return torch.randn(size, self.columns, generator=generator).clamp(-LIMIT, LIMIT)


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
