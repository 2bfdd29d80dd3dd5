"""Losses: the cross-entropy, and its measure on held-out text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wetware import kernels
from wetware.data import Packed, Rule, held_out_rows
from wetware.models import LanguageModel, Output
from wetware.state import select


class Score(NamedTuple):
    """A cross-entropy on text.

    nats: summed over the counted tokens (all, or those that a rule of ``training.counted`` counts). tokens: how many. bytes:
    of source text they stand for. rates: mean firing rate of each layer of neurons.
    """

    nats: float
    tokens: int
    bytes: int
    rates: tuple[float, ...] = ()

    @property
    def bits_per_byte(self) -> float:
        """The only figure that compares across tokenizers."""
        return self.nats / (math.log(2) * max(self.bytes, 1))

    @property
    def bits_per_token(self) -> float:
        return self.nats / (math.log(2) * max(self.tokens, 1))

    @property
    def perplexity(self) -> float:
        """Per token: e to the mean loss."""
        return math.exp(min(700.0, self.nats / max(self.tokens, 1)))


def cross_entropy(logits: Tensor, targets: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean over all tokens, or over those ``counted`` (of the shape of ``targets``), in nats; 0, with a gradient of 0, when
    none is."""
    if counted is None:
        return kernels.cross_entropy(logits.flatten(0, -2), targets.flatten())
    logits, targets = logits[counted], targets[counted]
    return kernels.cross_entropy(logits, targets) if len(targets) else logits.sum()


class Reading(NamedTuple):
    """What a model made of one piece of held-out text; only rows whose document goes on.

    output: as the model gave it. inputs, targets: [rows, T], on the model's device. counted: bool [rows, T], False where the
    document has ended. scored: those of them that a rule counts.
    """

    output: Output
    inputs: Tensor
    targets: Tensor
    counted: Tensor
    scored: Tensor

    def nats(self, counted: Tensor | None = None) -> Tensor:
        """Loss of each token ``counted`` (None: of all), in order."""
        logits, targets = self.output.logits.flatten(0, 1), self.targets.flatten()
        where = self.counted if counted is None else counted
        return functional.cross_entropy(logits, targets, reduction="none")[where.flatten()]


@torch.inference_mode()
def held_out_walk(
    model: LanguageModel,
    packed: Packed,
    *,
    limit: int | None = None,
    chunk: int = 128,
    rows: int = 32,
    carried: bool = True,
    rule: Rule | None = None,
) -> Iterator[Reading]:
    """Walk held-out documents from their start, several side by side. With ``carried`` the state goes on to a document's
    end; without, every chunk is read by a model that has seen nothing before it. With a ``rule`` a ``limit`` cuts none."""
    device = next(model.parameters()).device
    state = None
    present = torch.zeros(0, dtype=torch.long)  # the rows of the group that are still read
    for part in held_out_rows(packed, chunk, rows, limit, whole=rule is not None, rule=rule):
        # A document that has ended leaves the batch: what follows its end would be work for nothing.
        alive = part.counted.any(1)
        if part.fresh or not carried:
            state = None
        inputs, targets, counted, scored = (
            rows[alive].to(device) for rows in (part.inputs, part.targets, part.counted, part.scored)
        )
        if state is not None and len(inputs) < len(present):
            state = select(state, alive[present].to(device))
        present = alive.nonzero()[:, 0]
        output = model(inputs, state)
        state = output.state
        yield Reading(output, inputs, targets, counted, scored)


@torch.inference_mode()
def held_out_loss(
    model: LanguageModel,
    packed: Packed,
    token_bytes: np.ndarray,
    *,
    limit: int | None = None,
    chunk: int = 128,
    rows: int = 32,
    carried: bool = True,
    rule: Rule | None = None,
    progress: Callable[[int], None] | None = None,
) -> Score:
    """The loss of a :func:`held_out_walk`. Boundaries are read and not counted: they stand for no text.

    With a ``rule`` only the targets that it counts are scored, and the documents of a ``limit`` (of tokens read) are whole.
    Firing rates are of all that is read."""
    sizes = torch.as_tensor(token_bytes)
    nats, tokens, size, seen = 0.0, 0, 0, 0
    fired: list[float] = []
    walk = held_out_walk(model, packed, limit=limit, chunk=chunk, rows=rows, carried=carried, rule=rule)
    for reading in walk:
        losses = reading.nats(reading.scored).cpu()
        nats += float(losses.double().sum())
        tokens, size = tokens + len(losses), size + int(sizes[reading.targets[reading.scored].cpu()].sum())
        read = reading.counted.unsqueeze(-1)
        rates = [float((layer.spikes * read).sum() / layer.spikes.shape[-1]) for layer in reading.output.activity]
        fired = [a + b for a, b in zip(fired, rates, strict=True)] if fired else rates
        seen += int(read.sum())
        if progress:
            progress(int(read.sum()))
    return Score(nats, tokens, size, tuple(total / max(seen, 1) for total in fired))
