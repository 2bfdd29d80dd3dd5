"""SpikeWhale's bridge: gene programs set the parameters of neurons, as far as learned strengths let them."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from wetware.config import number
from wetware.modulation.effects import PROGRAMS
from wetware.modulation.modulator import Modulator, ModulatorConfig, P
from wetware.modulation.programs import CellPrograms, Programs
from wetware.modulation.signals import Signals
from wetware.parameters import NEURON, Draw, constant, parameter

THRESHOLDS, DECAYS, GAINS = (0.25, 3.0), (0.50, 0.97), (0.30, 3.0)
FAR = 4.0  # an exponent beyond this gets no gradient: it is lost anyway
SEEDED = PROGRAMS.index("neuron_identity")


class Exponents(NamedTuple):
    """What moves each neuron, each [N], in the coordinates in which 0 changes nothing."""

    threshold: Tensor
    decay: Tensor
    gain: Tensor


def box(exponent: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """``clamp(exponent, low, high)`` forward; backward the identity (straight through) while ``|exponent| < FAR``, so that a
    neuron at a bound still learns its way back."""
    clamped = torch.minimum(torch.maximum(exponent, low), high).detach()
    near = (exponent.detach().abs() < FAR).to(exponent.dtype)
    return clamped + (exponent - exponent.detach()) * near


def moved(params: P, exponents: Exponents) -> P:
    """The parameters of neurons (a NamedTuple of threshold, decay and gain, each [N]) after ``exponents``::

    threshold = clamp(threshold * exp(e_threshold), 0.25, 3)
    decay     = clamp(sigmoid(logit(decay) + e_decay), 0.50, 0.97)
    gain      = clamp(gain * exp(e_gain), 0.30, 3)
    """
    ranges = (THRESHOLDS, math.log), (DECAYS, lambda p: math.log(p / (1.0 - p))), (GAINS, math.log)
    starts = (params.threshold.log(), torch.logit(params.decay), params.gain.log())
    threshold, decay, gain = (
        start + box(exponent, inverse(low) - start.detach(), inverse(high) - start.detach())
        for start, exponent, ((low, high), inverse) in zip(starts, exponents, ranges, strict=True)
    )
    return params._replace(threshold=threshold.exp(), decay=torch.sigmoid(decay), gain=gain.exp())


class NeuronModulator(Modulator):
    """A modulator that moves every neuron by :func:`moved`, the same at every layer and at every signal."""

    @abstractmethod
    def exponents(self) -> Exponents:
        """What moves each neuron."""

    def forward(self, params: P, signals: Signals) -> P:
        return moved(params, self.exponents())


@dataclass(frozen=True, kw_only=True)
class GeneProgram(ModulatorConfig):
    """The programs P [N, K] of each neuron, times learned strengths [K], move its parameters (Byrne, SpikeWhale-SNN, 2026)::

        threshold = clamp(threshold0 * exp(P thr_gain), 0.25, 3)
        decay     = clamp(sigmoid(logit(decay0) + P beta_gain), 0.50, 0.97)
        gain      = clamp(exp(P in_gain), 0.30, 3)

    The directions are P's; the strengths start at 0 but for the program ``neuron_identity``, of which more means a lower
    threshold, a longer memory and a stronger drive: ``threshold``, ``decay`` and ``gain`` are those starts. One set of
    strengths serves all layers. A deliberate experiment, not physiology; its controls are the other kinds of ``programs``,
    ``FreeNeurons`` and nothing.
    """

    programs: Programs = CellPrograms()
    threshold: float = number(-0.10, -2.0, 2.0)
    decay: float = number(0.30, -2.0, 2.0)
    gain: float = number(0.10, -2.0, 2.0)

    def build(self, *, size: int) -> GeneProgramBridge:
        return GeneProgramBridge(self, size)


def seeded(value: float) -> Draw:
    """``value`` for the program ``neuron_identity`` of each draw of genes, 0 for all others."""
    return partial(_seeded, value)


def _seeded(value: float, tensor: Tensor, generator: Generator) -> None:
    tensor.zero_()
    tensor[SEEDED :: len(PROGRAMS)] = value


class GeneProgramBridge(NeuronModulator):
    """See :class:`GeneProgram`."""

    programs: Tensor

    def __init__(self, config: GeneProgram, size: int) -> None:
        super().__init__()
        self.config, columns = config, config.programs.columns
        self.register_buffer("programs", constant(size, columns, draw=config.programs.draw()))
        self.thr_gain = parameter(columns, draw=seeded(config.threshold), role=NEURON)
        self.beta_gain = parameter(columns, draw=seeded(config.decay), role=NEURON)
        self.in_gain = parameter(columns, draw=seeded(config.gain), role=NEURON)

    def exponents(self) -> Exponents:
        return Exponents(*(self.programs @ strength for strength in (self.thr_gain, self.beta_gain, self.in_gain)))
