"""Observation: one reading of held-out text, of which several questions are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.evaluation.inspection.neurons import Layer, layers_of
from wetware.evaluation.measure import Progress, Subject
from wetware.evaluation.scoring import LOGITS
from wetware.kernels.lif_scan.reference import surrogate
from wetware.neurons.leaky import LeakyLayer
from wetware.training import Reading, held_out_walk

SPAN = 1024  # tokens that are read at once: a longer silence is not seen as one interval
FEATURES = 2048  # tokens whose membranes are kept for the rank of the features


class Observed(NamedTuple):
    """What a layer of N neurons did.

    rate: float64 [N], spikes per token. intervals: int64 [SPAN], how many intervals between two spikes of a neuron had this
    many tokens. interval_moments: float64 [3, N], of each neuron's intervals their number, sum, and sum of squares. near: the
    share of all (token, neuron) at which the surrogate lets a gradient through, ``|u| < 1 / slope``, above a quarter of its
    peak; None where the neuron has no surrogate. slope: mean over those of the surrogate derivative ds/d pre, or None.
    features: float32 [tokens, N], tanh of the membranes at evenly spaced tokens.
    """

    rate: Tensor
    intervals: Tensor
    interval_moments: Tensor
    near: float | None
    slope: float | None
    features: Tensor


class Observation(NamedTuple):
    """What each layer did on ``tokens`` held-out tokens, the state carried through each document."""

    tokens: int
    layers: tuple[Observed, ...]


@dataclass(frozen=True)
class Observing(Subject):
    """A subject that was observed once, so that not every question has to read the text again."""

    seen: Observation = Observation(0, ())


def observed(subject: Subject, limit: int, progress: Progress) -> Observation:
    """The observation of ``subject``: the one it brings along, else one of at most ``limit`` held-out tokens."""
    return subject.seen if isinstance(subject, Observing) else observe(subject, limit, progress)


@torch.inference_mode()
def observe(subject: Subject, limit: int, progress: Progress) -> Observation:
    """Read at most ``limit`` held-out tokens (fewer when the subject says so)."""
    model = subject.model
    limit = min(limit, subject.limit or limit, len(subject.held_out))
    eyes = [_Eye(layer, max(1, limit // FEATURES)) for layer in layers_of(model)]
    rows = max(1, min(8, LOGITS // (SPAN * model.vocab_size)))
    tokens = 0
    for reading in held_out_walk(model, subject.held_out, limit=limit, chunk=min(SPAN, limit), rows=rows):
        for eye, activity in zip(eyes, reading.output.activity, strict=True):
            eye.see(activity.spikes >= 0.5, activity.membrane, reading, tokens)
        tokens += int(reading.counted.sum())
        progress(tokens / limit)
    return Observation(tokens, tuple(eye.observed(tokens) for eye in eyes))


class _Eye:
    """Adds up what one layer does, chunk by chunk."""

    def __init__(self, layer: Layer, every: int) -> None:
        self.layer, self.every = layer, every
        size = len(layer.params.threshold)
        self.spikes = torch.zeros(size, dtype=torch.float64)
        self.intervals = torch.zeros(SPAN, dtype=torch.long)
        self.moments = torch.zeros(3, size, dtype=torch.float64)
        self.near = self.slope = 0.0
        self.features: list[Tensor] = []

    def see(self, spikes: Tensor, membrane: Tensor, reading: Reading, before: int) -> None:
        counted = reading.counted
        flat = membrane[counted]
        self.spikes += spikes[counted].double().sum(0).cpu()
        for row, there in zip(spikes, counted, strict=True):
            self._time(row[there])
        neuron = self.layer.neuron
        if isinstance(neuron, LeakyLayer):
            shape, threshold = neuron.config.surrogate, self.layer.params.threshold
            width = shape.width(threshold)
            peak = surrogate((flat - threshold) / width, shape.slope)
            self.near += float((peak > 0.25).double().sum()) / flat.shape[1]
            self.slope += float((peak / width).double().sum()) / flat.shape[1]
        self.features.append(torch.tanh(flat[(-before) % self.every :: self.every]).float().cpu())

    def _time(self, spikes: Tensor) -> None:
        """Intervals between successive spikes of each neuron in [T, N]."""
        neurons, times = spikes.T.cpu().nonzero(as_tuple=True)  # by neuron, and within it by time
        same = neurons[1:] == neurons[:-1]
        lengths, of = (times[1:] - times[:-1])[same], neurons[1:][same]
        self.intervals += torch.bincount(lengths, minlength=SPAN)[:SPAN]
        long = lengths.double()
        for moment, values in zip(self.moments, (torch.ones_like(long), long, long.square()), strict=True):
            moment.index_add_(0, of, values)

    def observed(self, tokens: int) -> Observed:
        tokens, leaky = max(tokens, 1), isinstance(self.layer.neuron, LeakyLayer)
        near, slope = (self.near / tokens, self.slope / tokens) if leaky else (None, None)
        return Observed(
            self.spikes / tokens, self.intervals, self.moments, near, slope, torch.cat(self.features)[:FEATURES]
        )
