"""Step: what one optimizer step computes, for whoever takes one: the trainer, and measures that time it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wetware.models import LanguageModel
from wetware.modulation import NEUTRAL, Signals
from wetware.plasticity import Between, Rule
from wetware.state import detach
from wetware.training.losses import cross_entropy
from wetware.training.optimizers import Optimizers, gradient_norm, scale_gradients


class Learned(NamedTuple):
    """What the batch said. loss: mean cross-entropy of the targets that counted, in nats. targets: how many counted. rates: for
    each layer, the firing rate of each neuron. evidence: for rules, of each part of the batch, with its share of it."""

    loss: float
    targets: int
    rates: list[Tensor]
    evidence: list[tuple[float, Mapping[str, Any]]]


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
    loss, rates, evidence = 0.0, [], []
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
        evidence.append((share, output.evidence))
        loss += weight * entropy.item()
        rates.append([share * layer.spikes.detach().mean((0, 1)) for layer in output.activity])
    return Learned(loss, total, [torch.stack(layer).sum(0) for layer in zip(*rates, strict=True)], evidence)


def follow(
    rules: Mapping[str, Rule],
    learned: Learned,
    step: int,
    seed: int,
    optimizers: Optimizers,
    signals: Signals = NEUTRAL,
) -> list[dict]:
    """Let every rule do what is due after ``step`` steps; what they did, with the path of each. signals: of the next step."""
    events = []
    for path, rule in rules.items():
        evidence = tuple((share, told[path]) for share, told in learned.evidence if path in told)
        between = Between(step, seed, evidence, optimizers.moments, signals)
        events += [{"rule": path, **event} for event in rule.apply(between)]
    return events


def clip_gradients(model: nn.Module, largest: float) -> float:
    """Scale the gradients down to the norm ``largest`` where it is exceeded. Gives the norm before; one that is not finite
    leaves them alone."""
    norm = gradient_norm(model)
    if largest < norm < float("inf"):
        scale_gradients(model, largest / norm)
    return norm
