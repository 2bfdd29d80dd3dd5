"""Effects of knock-downs on gene programs, and the matrix P that neurons get of them.

A virtual cell (:mod:`wetware.cell`) predicts what knocking a gene down does to six gene programs. Each neuron is assigned the
knock-down of a gene, several times over (*draws*), and stands for its effects. An analogy, meant to be ablated: no gene sets
the threshold of an artificial neuron.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from wetware.config import ConfigError
from wetware.parameters import keyed_generator

PROGRAMS = ("cell_division", "neuron_identity", "pluripotency", "endocrine", "metabolism", "signaling_identity")
CLIP = 3.0  # deviations: beyond, one gene would decide a neuron alone


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
        """See :func:`dominant`."""
        return dominant(self.matrix, len(self.programs))


def dominant(matrix: Tensor, programs: int = len(PROGRAMS)) -> Tensor:
    """The program [neurons] whose mean over the draws of P [neurons, draws * programs] is highest."""
    return matrix.unflatten(1, (-1, programs)).mean(1).argmax(1)


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

    A single neuron differs from none: its row is 0. Raises ConfigError for no neuron, no draw, or effects that are the same
    for every gene.
    """
    for name, value, low in (("size", size, 1), ("draws", draws, 1)):
        if value < low:
            raise ConfigError(f"program matrix: {name} = {value}: allowed {low} or more")
    effects = effects or packaged_effects()
    if len(effects.genes) < 2 or bool((effects.scores == effects.scores[0]).all()):
        raise ConfigError("the cell model predicts the same for every gene: nothing in it tells neurons apart")
    places = assign(len(effects.genes), size, draws, seed)
    matrix = standardised(torch.cat([effects.scores[row] for row in places], 1))
    genes = tuple(tuple(effects.genes[place] for place in row.tolist()) for row in places)
    return ProgramMatrix(matrix, effects.programs, draws, effects.source, genes)


@functools.cache
def packaged_effects() -> Effects:
    """The effects that come with wetware, of a cell model trained on a simulated screen: ``source="synthetic"``."""
    with resources.as_file(resources.files("wetware.modulation") / "synthetic_effects.safetensors") as path:
        return read_effects(path)


def read_effects(path: str | Path) -> Effects:
    """Effects as ``wetware cell program`` writes them. Raises ConfigError for a file that is missing, damaged or something
    else."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise ConfigError(f"no such file of effects: {str(path)!r}")
    try:
        with safe_open(path, "pt") as file:
            scores, about = file.get_tensor("scores").float(), file.metadata() or {}
        made = Effects(tuple(json.loads(about["genes"])), tuple(json.loads(about["programs"])), scores, about["source"])
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise ConfigError(f"{str(path)!r} is no file of effects: {error}") from None
    shape = (len(made.genes), len(made.programs))
    if tuple(scores.shape) != shape or not scores.isfinite().all():
        raise ConfigError(f"damaged file {str(path)!r}: {list(scores.shape)}, expected finite numbers {list(shape)}")
    return made
