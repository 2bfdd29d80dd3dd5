"""Neurons get a gene each: from predicted effects of knock-downs to the matrix P that modulates neurons.

Each neuron is assigned the knock-down of a gene, several times over (*draws*), and stands for that knock-down's effects on the
gene programs. An analogy, meant to be ablated: no gene sets the threshold of an artificial neuron.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.cell.files import field, read_tensors, tensor_digest, write_tensors
from wetware.config import ConfigError
from wetware.data.files import DataError
from wetware.parameters import keyed_generator

CLIP = 3.0  # deviations


class Effects(NamedTuple):
    """Predicted changes of program scores by knock-downs. genes: n names. programs: K names. scores: [n, K]. source: ``real``
    or ``synthetic``, of the screen that the cell model learnt from."""

    genes: tuple[str, ...]
    programs: tuple[str, ...]
    scores: Tensor
    source: str


class ProgramMatrix(NamedTuple):
    """What the programs say of each neuron.

    matrix: P [neurons, draws * K] float32; column ``draw * K + program``, mean 0 and deviation 1 over neurons before clipping
    to [-3, 3]. programs: K names. genes: each draw's gene of every neuron. source: ``real`` or ``synthetic``.
    """

    matrix: Tensor
    programs: tuple[str, ...]
    draws: int
    source: str
    genes: tuple[tuple[str, ...], ...]

    def dominant(self) -> Tensor:
        """The program [neurons] whose mean over draws is highest, for pictures."""
        return self.matrix.unflatten(1, (self.draws, len(self.programs))).mean(1).argmax(1)


def assign(pool: int, size: int, draws: int, seed: int = 0) -> Tensor:
    """The gene of each neuron in each draw [draws, size]: places in a pool of ``pool`` genes.

    Within a draw every gene is used as often as any other, or once more; draws are independent, and a draw does not depend on
    how many there are.
    """
    rows = []
    for draw in range(draws):
        dice = keyed_generator(seed, f"assignment/{draw}")
        decks = [torch.randperm(pool, generator=dice) for _ in range(-(-size // pool))]
        rows.append(torch.cat(decks)[:size])
    return torch.stack(rows)


def standardised(values: Tensor, clip: float = CLIP) -> Tensor:
    """Each column less its mean, over its deviation, clipped to [-clip, clip]; a constant column becomes 0."""
    values = values.double()
    spread = values.std(0, correction=0)
    flat = spread <= 1e-12 * values.abs().amax(0).clamp(min=1.0)
    centred = (values - values.mean(0)) / torch.where(flat, torch.inf, spread)
    return centred.clamp(-clip, clip).float()


def program_matrix(size: int, draws: int = 3, seed: int = 0, effects: Effects | None = None) -> ProgramMatrix:
    """The matrix P for ``size`` neurons; ``effects`` of a trained cell, or those that come with wetware, which are synthetic.

    Raises ConfigError for fewer than 2 neurons or no draw, DataError for effects that are the same for every gene.
    """
    for name, value, low in (("size", size, 2), ("draws", draws, 1)):
        if value < low:
            raise ConfigError(f"program matrix: {name} = {value}: allowed {low} or more")
    effects = effects or packaged_effects()
    if len(effects.genes) < 2 or bool((effects.scores == effects.scores[0]).all()):
        raise DataError("the cell model predicts the same for every gene: nothing in it tells neurons apart")
    places = assign(len(effects.genes), size, draws, seed)
    matrix = standardised(torch.cat([effects.scores[row] for row in places], 1))
    genes = tuple(tuple(effects.genes[place] for place in row.tolist()) for row in places)
    return ProgramMatrix(matrix, effects.programs, draws, effects.source, genes)


@functools.cache
def packaged_effects() -> Effects:
    """The effects that come with wetware, of a cell model trained on a simulated screen: ``source="synthetic"``."""
    with resources.as_file(resources.files("wetware.cell") / "packaged" / "synthetic.safetensors") as path:
        return load_effects(path)


# ---------------------------------------------------------------------------------------------------------------- files


def save_effects(effects: Effects, path: str | Path) -> None:
    about = {"genes": json.dumps(effects.genes), "programs": json.dumps(effects.programs), "source": effects.source}
    write_tensors(path, {"scores": effects.scores}, {**about, "digest": tensor_digest(effects.scores)})


def load_effects(path: str | Path) -> Effects:
    """Raises DataError for a file that is missing, damaged or something else."""
    scores, about = _read(path, "scores", "file of effects")
    genes, programs = _names(about, "genes", path), _names(about, "programs", path)
    _check_shape(path, scores, (len(genes), len(programs)))
    return Effects(genes, programs, scores, about["source"])


def save_program_matrix(made: ProgramMatrix, path: str | Path) -> None:
    """Write P with all that is known about it into a safetensors file."""
    about = {
        "programs": json.dumps(made.programs),
        "draws": str(made.draws),
        "genes": json.dumps(made.genes),
        "source": made.source,
        "digest": tensor_digest(made.matrix),
    }
    write_tensors(path, {"matrix": made.matrix}, about)


def load_program_matrix(path: str | Path) -> ProgramMatrix:
    """Read what :func:`save_program_matrix` wrote. Raises DataError for a file that is missing, damaged or something else."""
    matrix, about = _read(path, "matrix", "program matrix")
    programs, genes = _names(about, "programs", path), _names(about, "genes", path)
    draws = len(genes)
    _check_shape(path, matrix, (len(genes[0]) if genes else 0, draws * len(programs)))
    return ProgramMatrix(matrix, programs, draws, about["source"], tuple(tuple(row) for row in genes))


def _read(path: str | Path, name: str, kind: str) -> tuple[Tensor, dict[str, str]]:
    tensors, about = read_tensors(path)
    tensor = field(tensors, name, path, kind)
    field(about, "source", path, kind)
    if field(about, "digest", path, kind) != tensor_digest(tensor):
        raise DataError(f"damaged file {str(path)!r}: it is not what was written")
    return tensor.float(), about


def _names(about: dict[str, str], name: str, path: str | Path) -> tuple:
    try:
        found: Sequence = json.loads(field(about, name, path, "file of this kind"))
    except ValueError as error:
        raise DataError(f"damaged file {str(path)!r}: {error}") from None
    return tuple(found)


def _check_shape(path: str | Path, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise DataError(f"damaged file {str(path)!r}: shape {tuple(tensor.shape)}, expected {shape}")
