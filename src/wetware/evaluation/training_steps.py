"""Training steps: the trainer's work without its book-keeping, to be timed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

from wetware.models import LanguageModel
from wetware.training import Training
from wetware.training.step import clip_gradients, follow, learn


def training_steps(
    model: LanguageModel, training: Training, chunks: Iterable[tuple[Tensor, Tensor, Tensor | None]]
) -> Iterator[float]:
    """One optimizer step for each ``(inputs, targets, counted)`` [B, T] of ``chunks``, as the trainer does it at full learning
    rate: forward, backward, clipping, optimizer, rules, state carried; the loss is on what is counted (None: all). Gives the
    loss of each. Moves ``model``: give a copy."""
    optimizers = training.optimizer.build(model)
    states: list[Any] = [None] * training.accumulate
    rules = model.rules()
    for step, (inputs, targets, counted) in enumerate(chunks, 1):
        learned = learn(model, states, inputs, targets, counted=counted)
        clip_gradients(model, training.clip)
        optimizers.step(1.0)
        follow(rules, learned, step, 0, optimizers)
        optimizers.zero_grad()
        yield learned.loss
