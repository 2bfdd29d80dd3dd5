"""The cell model: how expression changes when a gene is knocked down, predicted from the gene's embedding."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wetware.cell.expression import Expression
from wetware.cell.programs import program_scores
from wetware.config import Config, number
from wetware.parameters import MATRIX, NEURON, filled, initialize, keyed_generator, normal, parameter, role

Progress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class DeltaMLP(Config):
    """A small MLP from a gene's embedding to a change of expression. dropout: of the embedding's dimensions, in training."""

    hidden: int = number(64, 1, 100_000)
    dropout: float = number(0.2, 0.0, 0.99)

    def build(self, embedding: int, genes: int) -> DeltaNetwork:
        return DeltaNetwork(self, embedding, genes)


class DeltaNetwork(nn.Module):
    """``delta(e) = W2 gelu(LayerNorm(W1 (e - m) / s + b1)) + b2``: [..., E] -> [..., genes]; prediction = control + delta.

    W2 and b2 start at zero, so an untrained model predicts control. m, s: mean and deviation of the training genes' embeddings,
    dimension by dimension, set by :func:`fit`.
    """

    def __init__(self, config: DeltaMLP, embedding: int, genes: int) -> None:
        super().__init__()
        self.config = config
        self.inner = parameter(config.hidden, embedding, draw=normal(embedding**-0.5))
        self.inner_bias = parameter(config.hidden, draw=filled(0.0), role=NEURON)
        self.norm = parameter(config.hidden, draw=filled(1.0), role=NEURON)
        self.norm_bias = parameter(config.hidden, draw=filled(0.0), role=NEURON)
        self.outer = parameter(genes, config.hidden, draw=filled(0.0))
        self.outer_bias = parameter(genes, draw=filled(0.0), role=NEURON)
        self.register_buffer("mean", torch.zeros(embedding))
        self.register_buffer("scale", torch.ones(embedding))
        self.mean: Tensor
        self.scale: Tensor

    def standardise(self, embeddings: Tensor) -> None:
        """Take m and s from the embeddings [n, E] of the training genes; a dimension that is constant is left out."""
        self.mean.copy_(embeddings.mean(0))
        spread = embeddings.std(0, correction=0)
        self.scale.copy_(torch.where(spread > 1e-8, spread, torch.inf))

    def forward(self, embeddings: Tensor, keep: Tensor | None = None) -> Tensor:
        """keep: the factors of dropout, of the shape of ``embeddings``."""
        x = (embeddings - self.mean) / self.scale
        x = x if keep is None else x * keep
        x = functional.linear(x, self.inner, self.inner_bias)
        x = functional.gelu(functional.layer_norm(x, x.shape[-1:], self.norm, self.norm_bias))
        return functional.linear(x, self.outer, self.outer_bias)


@dataclass(frozen=True, kw_only=True)
class Fitting(Config):
    """How the cell model is trained: AdamW (Loshchilov and Hutter, 2019) on all training targets at once.

    program_weight: weight of a gene of any program in the error of expression, 1 for others. score_weight: of the error of
    program scores, beside the error of expression. patience: steps without a better validation loss before stopping, and going
    back to the best; None trains all ``steps`` and keeps the last.
    """

    rate: float = number(1e-3, 0.0, 10.0)
    weight_decay: float = number(1e-2, 0.0, 10.0)
    program_weight: float = number(5.0, 0.0, 1e4)
    score_weight: float = number(1.0, 0.0, 1e4)
    steps: int = number(1000, 0, 1_000_000)
    patience: int | None = number(100, 1, 1_000_000)


class Loss(NamedTuple):
    """The loss, a weighted mean over targets g (weights sqrt(cells)) of errors relative to predicting no change::

        expression  sum over genes j of w[j] (delta[g, j] - y[g, j])^2   /  the training targets' mean of sum w[j] y[g, j]^2
        scores      mean over programs k of (S[g, k] - Y[g, k])^2 / variance[k]          S = A delta without the own target
        loss        expression + score_weight * scores

    Both are 1 for what knows nothing (no change; the mean score): otherwise the weights between them would depend on how
    strong the screen's knock-downs are. genes: w [G]. matrix: A [K, G]. size, variance: taken from the training targets.
    """

    genes: Tensor
    matrix: Tensor
    size: Tensor
    variance: Tensor
    score_weight: float

    def __call__(self, delta: Tensor, truth: Expression) -> Tensor:
        own, weights = truth.own(), cell_weights(truth)
        error = ((delta - truth.delta) ** 2 * self.genes).sum(1) / self.size
        scores = program_scores(delta - truth.delta, self.matrix, own) ** 2 / self.variance
        return (weights * (error + self.score_weight * scores.mean(1))).sum() / weights.sum()


def cell_weights(expression: Expression) -> Tensor:
    """sqrt(cells) of each target: the inverse of the noise's deviation."""
    return expression.cells.sqrt()


def loss_for(config: Fitting, train: Expression, matrix: Tensor) -> Loss:
    """The loss, its scales taken from the training targets."""
    # with control sets A is negative outside programs; only a program's own genes weigh more
    genes = torch.where((matrix > 0).any(0), config.program_weight, 1.0)
    weights = cell_weights(train)[:, None] / cell_weights(train).sum()
    size = (weights * train.delta**2 * genes).sum()
    scores = program_scores(train.delta, matrix, train.own())
    variance = scores.var(0, correction=0)
    # a program without genes, or with a constant score, has nothing to match
    variance = torch.where(variance > 1e-12, variance, torch.inf)
    return Loss(genes, matrix, size.clamp(min=1e-12), variance, config.score_weight)


class Fitted(NamedTuple):
    """A trained network; the validation loss by step, and the step that was kept (0: nothing was better
    than no change)."""

    network: DeltaNetwork
    history: tuple[float, ...]
    best: int


def fit(
    shape: DeltaMLP,
    config: Fitting,
    train: Expression,
    validation: Expression,
    vectors: tuple[Tensor, Tensor],
    matrix: Tensor,
    seed: int = 0,
    progress: Progress = lambda share, text: None,
) -> Fitted:
    """Train a network and keep its best state on the validation targets.

    vectors: embeddings [P, E] of the training and of the validation targets. matrix: A [K, G]. The same seed gives the same
    network, bit for bit, on one machine and one number of threads.
    """
    inputs, held = vectors
    network = shape.build(inputs.shape[1], len(train.genes))
    initialize(network, seed)
    network.standardise(inputs)
    loss = loss_for(config, train, matrix)
    groups = [
        {"params": [p for p in network.parameters() if role(p) == kind], "weight_decay": decay}
        for kind, decay in ((MATRIX, config.weight_decay), (NEURON, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.rate)
    dice = keyed_generator(seed, "dropout")
    history, best, kept = [], 0, copy.deepcopy(network.state_dict())
    for step in range(config.steps + 1):
        with torch.inference_mode():
            history.append(float(loss(network(held), validation)))
        if history[step] < history[best]:
            best, kept = step, copy.deepcopy(network.state_dict())
        progress(step / max(config.steps, 1), f"step {step}  validation {history[step]:.4f}  best {history[best]:.4f}")
        if step == config.steps or (config.patience is not None and step - best >= config.patience):
            break
        optimizer.zero_grad(set_to_none=True)
        loss(network(inputs, _keep(inputs, shape.dropout, dice)), train).backward()
        optimizer.step()
    if config.patience is None:
        best, kept = len(history) - 1, network.state_dict()
    network.load_state_dict(kept)
    progress(1.0, f"kept step {best}")
    return Fitted(network.eval(), tuple(history), best)


def _keep(inputs: Tensor, dropout: float, dice: torch.Generator) -> Tensor | None:
    if not dropout:
        return None
    return (torch.rand(inputs.shape, generator=dice) >= dropout).float() / (1.0 - dropout)
