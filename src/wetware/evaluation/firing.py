"""Firing: how often each neuron fires on held-out text."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from wetware.evaluation.measure import Progress, Subject
from wetware.training import held_out_walk


class Firing(NamedTuple):
    """rates: of each layer, spikes per token of each neuron, float64 [N] from 0 to 1. frequencies: float64 [V], the share of
    each token among those read. tokens: how many were read."""

    rates: tuple[Tensor, ...]
    frequencies: Tensor
    tokens: int


@torch.inference_mode()
def firing(subject: Subject, limit: int, progress: Progress) -> Firing:
    """Read at most ``limit`` held-out tokens (fewer when the subject says so), the state carried through each document."""
    limit = min(limit, subject.limit or limit, len(subject.held_out))
    spikes: list[Tensor] = []
    read, tokens = torch.zeros(subject.model.vocab_size, dtype=torch.float64), 0
    for reading in held_out_walk(subject.model, subject.held_out, limit=limit):
        counts = [layer.spikes[reading.counted].double().sum(0).cpu() for layer in reading.output.activity]
        spikes = [a + b for a, b in zip(spikes, counts, strict=True)] if spikes else counts
        read += torch.bincount(reading.inputs[reading.counted].cpu(), minlength=len(read))
        tokens += int(reading.counted.sum())
        progress(tokens / limit)
    return Firing(tuple(layer / max(tokens, 1) for layer in spikes), read / max(tokens, 1), tokens)


def no_neurons(subject: Subject) -> str | None:
    """Why the firing of ``subject`` cannot be measured: it has nothing that fires."""
    with torch.inference_mode():
        token = torch.zeros(1, 1, dtype=torch.long, device=next(subject.model.parameters()).device)
        if subject.model(token).activity:
            return None
    return f"{type(subject.model.config).__name__} has no neurons: nothing in it fires"
