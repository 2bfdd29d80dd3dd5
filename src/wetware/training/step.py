"""Step: what one optimizer step computes, for whoever takes one: the trainer, and measures that time it."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wetware.models import LanguageModel
from wetware.modulation import NEUTRAL, Signals
from wetware.state import detach
from wetware.training.losses import cross_entropy
from wetware.training.optimizers import gradient_norm, scale_gradients


class Learned(NamedTuple):
    """What the batch said. loss: mean cross-entropy of the targets that counted, in nats. targets: how many counted. rates: for
    each layer, the firing rate of each neuron."""

    loss: float
    targets: int
    rates: list[Tensor]


def parts(batch: int, count: int) -> list[slice]:
    """The rows of a batch, in ``count`` parts."""
    edges = [batch * index // count for index in range(count + 1)]
    return [slice(low, high) for low, high in itertools.pairwise(edges)]


def learn(
    model: LanguageModel,
    states: list[Any],
    inputs: Tensor,
    targets: Tensor,
    *,
    counted: Tensor | None = None,
    signals: Signals = NEUTRAL,
    bfloat16: bool = False,
) -> Learned:
    """Forward and backward of a batch [B, T], in as many parts as there are ``states``; gradients add to those there, and the
    states are replaced by those that the parts leave behind, detached.

    The mean is over what counts (bool [B, T]; None: all) in the whole batch, so a part weighs as much as it has of that; in the
    model's own losses it weighs as much as it has of the rows.
    """
    device = next(model.parameters()).device
    total = targets.numel() if counted is None else int(counted.sum())
    loss, rates = 0.0, []
    for index, rows in enumerate(parts(len(inputs), len(states))):
        share = len(inputs[rows]) / len(inputs)
        where = None if counted is None else counted[rows]
        weight = share if where is None else int(where.sum()) / max(total, 1)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            output = model(inputs[rows].to(device), states[index], signals=signals)
            where = None if where is None else where.to(device)
            entropy = cross_entropy(output.logits, targets[rows].to(device), where)
        (entropy * weight + sum(output.losses.values()) * share).backward()
        states[index] = detach(output.state)
        loss += weight * entropy.item()
        rates.append([share * layer.spikes.detach().mean((0, 1)) for layer in output.activity])
    return Learned(loss, total, [torch.stack(layer).sum(0) for layer in zip(*rates, strict=True)])


def clip_gradients(model: LanguageModel, largest: float) -> float:
    """Scale the gradients down to the norm ``largest`` where it is exceeded. Gives the norm before; one that is not finite
    leaves them alone."""
    norm = gradient_norm(model)
    if largest < norm < float("inf"):
        scale_gradients(model, largest / norm)
    return norm
