"""How well changes of program scores are predicted for genes that were never seen knocked down, beside two baselines that know
nothing about the gene: no change, and the mean change of the training genes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special
from torch import Tensor

from wetware.cell.expression import Expression
from wetware.cell.programs import program_scores
from wetware.data.files import DataError

MODELS = ("model", "mean", "zero")


class ProgramFit(NamedTuple):
    """One program over held-out targets.

    r: Pearson's correlation of predicted with true change of score; None where one of them is constant. interval: its 95 %
    interval by Fisher's z. p: share of permutations of the targets with as high an r, the observed one counted (one-sided: a
    negative correlation is no skill). error: root mean square error; r2: 1 - squared error / squared deviation of the truth
    from its own mean; both by ``model``, ``mean``, ``zero``. genes: of the program, in the data.
    """

    program: str
    genes: int
    r: float | None
    interval: tuple[float, float] | None
    p: float | None
    error: dict[str, float]
    r2: dict[str, float | None]


class HeldOut(NamedTuple):
    """Every program; the root mean square error of expression over all genes, by ``model``, ``mean``, ``zero``; how many
    held-out targets, how many of them without an embedding of their own; what the data is."""

    programs: tuple[ProgramFit, ...]
    expression_error: dict[str, float]
    targets: int
    missing: int
    source: str


def pearson(x: np.ndarray, y: np.ndarray) -> float | None:
    """Pearson's correlation of two vectors; None when one is constant, or shorter than 3."""
    x, y = x - x.mean(), y - y.mean()
    sizes = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    # what differs by rounding alone is constant
    if len(x) < 3 or min(sizes) < 1e-12:
        return None
    return float(np.clip(x @ y / (sizes[0] * sizes[1]), -1.0, 1.0))


def permutation_p(x: np.ndarray, y: np.ndarray, permutations: int = 9999, seed: int = 0) -> float | None:
    """Share of permutations of ``x`` that correlate with ``y`` at least as it does, the observed one counted (Fisher, 1935)."""
    observed = pearson(x, y)
    if observed is None:
        return None
    dice = np.random.default_rng(seed)
    x, y = x - x.mean(), y - y.mean()
    drawn = dice.permuted(np.broadcast_to(x, (permutations, len(x))), axis=1) @ y
    # a tie that rounding made a little smaller is a tie
    reached = int((drawn >= x @ y - 1e-12 * np.linalg.norm(x) * np.linalg.norm(y)).sum())
    return (1 + reached) / (1 + permutations)


def fisher_interval(r: float, n: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """``tanh(atanh(r) +- z / sqrt(n - 3))`` (Fisher, 1921); None for fewer than 4 pairs."""
    if n < 4 or abs(r) >= 1.0:
        return None
    half = float(special.ndtri((1 + confidence) / 2)) / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def compare(
    truth: Expression,
    predicted: Tensor,
    mean: Tensor,
    mean_scores: Tensor,
    matrix: Tensor,
    names: tuple[str, ...],
    missing: int = 0,
    permutations: int = 9999,
) -> HeldOut:
    """Measure ``predicted`` changes [P, G] of the held-out targets of ``truth``.

    mean: the training targets' mean change [G]. mean_scores: the mean of their scores [K], own targets left out. matrix: A
    [K, G]. Raises DataError when there is no target.
    """
    if not truth.targets:
        raise DataError("no held-out target: every target in the data was trained on, or stopped the training")
    own = truth.own()
    true = program_scores(truth.delta, matrix, own).double().numpy()
    guesses = {
        "model": program_scores(predicted, matrix, own).double().numpy(),
        "mean": np.broadcast_to(mean_scores.double().numpy(), true.shape),
        "zero": np.zeros_like(true),
    }
    profiles = {"model": predicted, "mean": mean[None], "zero": 0.0}
    error = {name: float(((profile - truth.delta) ** 2).mean().sqrt()) for name, profile in profiles.items()}
    counts = (matrix > 0).sum(1).tolist()
    fits = tuple(
        _program(name, counts[k], true[:, k], {kind: guess[:, k] for kind, guess in guesses.items()}, permutations)
        for k, name in enumerate(names)
    )
    return HeldOut(fits, error, len(truth.targets), missing, truth.source)


def _program(name: str, genes: int, true: np.ndarray, guesses: dict[str, np.ndarray], permutations: int) -> ProgramFit:
    spread = float(((true - true.mean()) ** 2).mean())
    squares = {kind: float(((guess - true) ** 2).mean()) for kind, guess in guesses.items()}
    r = pearson(guesses["model"], true)
    return ProgramFit(
        program=name,
        genes=genes,
        r=r,
        interval=None if r is None else fisher_interval(r, len(true)),
        p=permutation_p(guesses["model"], true, permutations),
        error={kind: math.sqrt(square) for kind, square in squares.items()},
        r2={kind: 1.0 - square / spread if spread > 1e-18 else None for kind, square in squares.items()},
    )
