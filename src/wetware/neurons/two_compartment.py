"""A neuron with a second compartment that spikes do not reset: one that remembers for longer than it fires."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from wetware.config import number
from wetware.kernels import Op, lif_scan
from wetware.kernels.lif_scan import LIFState
from wetware.neurons.integrator import integrated
from wetware.neurons.leaky import (
    DecayStart,
    LearnedDecay,
    LogSpacedDecay,
    Resetting,
    ResettingLayer,
    UniformDecay,
    wide,
)
from wetware.neurons.neuron import Activity, NeuronParams
from wetware.operations import Operation, Workload
from wetware.parameters import NEURON, constant, filled, parameter, through


@dataclass(frozen=True, kw_only=True)
class TwoCompartmentLIF(Resetting):
    """A leaky integrate-and-fire neuron that fires by the sum of a fast compartment f, which the reset empties, and a slow
    one m, which it does not touch::

        f_t   = decay * f'_{t-1} + gain * factor(decay) * current_t + s_{t-1} @ recurrent
        m_t   = slow  * m_{t-1}  + gain * factor(slow)  * current_t
        pre_t = f_t + w * m_t
        s_t   = 1[pre_t >= threshold]
        f'_t  = f_t - threshold * s_t

    A single leak has to hold the present token and the past, and a spike erases both. Here a spike takes from f only, and m
    runs on: it is linear, so gradients reach through it as far as its decay does. The recurrent current enters f alone, and a
    modulated decay is that of f; a modulated gain is that of the current, into both. A ``bound`` of the reset clamps
    ``pre - threshold * s`` as a whole, and f' is what it leaves beside ``w * m``.

    After a public study of spiking character models (TheCoolestElliot, text-snn), there with ``normalise=None``,
    ``learned_slow=LearnedDecay()`` and ``slow=UniformDecay(value=0.95)``.

    decay, learned_decay: of f; constant at 0.5. slow, learned_slow: where the decay of m starts, and whether it is learned.
    weight: w at the start. It and the slow decays are the neurons' own, learned without weight decay, which would pull a slow
    decay back to where it started. At a weight of 0 the slow decays have no gradient at first.
    """

    scan: ClassVar[Op] = lif_scan

    decay: DecayStart = UniformDecay(value=0.5)
    learned_decay: LearnedDecay | None = None
    slow: DecayStart = LogSpacedDecay(shortest=8.0, longest=256.0)
    learned_slow: LearnedDecay | None = LearnedDecay()
    weight: float = number(0.1, -10.0, 10.0)

    def build(self, *, size: int) -> TwoCompartmentLayer:
        return TwoCompartmentLayer(self, size)


class TwoCompartmentState(NamedTuple):
    """Membrane after reset (both compartments, weighted, as the threshold sees them), spikes of the last token, and the slow
    compartment, each [B, N]."""

    membrane: Tensor
    spikes: Tensor
    slow: Tensor


class TwoCompartmentLayer(ResettingLayer):
    """See :class:`TwoCompartmentLIF`. State: :class:`TwoCompartmentState`.

    What is walked is not f but the whole membrane ``v = f' + w m``, by the scan of any leaky neuron. As::

        pre_t = f_t + w m_t = decay v_{t-1} + gain_f current_t + w (m_t - decay m_{t-1}) + s_{t-1} @ recurrent
        v_t   = pre_t - threshold s_t = f'_t + w m_t

    it is that of a LIF neuron whose current has ``w (m_t - decay m_{t-1})`` added to it. What f would integrate of that sums up
    to w m_t exactly, which is why it is a difference; w m_t itself as a current would be integrated a second time.
    """

    slow_start: Tensor

    def __init__(self, config: TwoCompartmentLIF, size: int) -> None:
        super().__init__(config, size)
        self.config: TwoCompartmentLIF = config
        self.register_buffer("slow_start", constant(size, draw=through(torch.logit, config.slow.draw())))
        if config.learned_slow:
            self.slow_shift = parameter(size, draw=filled(0.0), role=NEURON)
        self.slow_weight = parameter(size, draw=filled(config.weight), role=NEURON)

    def init_state(self, batch: int) -> TwoCompartmentState:
        zeros = self.start.new_zeros(batch, self.size, dtype=wide(self.start))
        return TwoCompartmentState(zeros, zeros.clone(), zeros.clone())

    def slow_decay(self) -> Tensor:
        """[N], of the slow compartments."""
        return torch.sigmoid(self.slow_start + self.slow_shift if self.config.learned_slow else self.slow_start)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """As any leaky neuron; the slow membrane decays, takes its current in, and is added to the fast one by its weight."""
        yield from super().operations(work)
        yield Operation("slow", 3, self.size)

    def _along_time(
        self,
        current: Tensor,
        state: TwoCompartmentState,
        params: NeuronParams,
        recurrent: Tensor | None,
        keep: Tensor | None,
    ) -> tuple[Activity, TwoCompartmentState]:
        decay, weight = self.slow_decay().to(current.dtype), self.slow_weight.to(current.dtype)
        slow, last = integrated(current, state.slow, decay, self._gain(params.gain, decay), keep)
        before = torch.cat([state.slow[:, None], slow[:, :-1]], 1)
        if keep is not None:
            before = before * keep[..., None]
        drive = self._gain(params.gain, params.decay)[..., None, :] * current + weight * (slow - params.decay * before)
        whole = LIFState(state.membrane, state.spikes)
        activity, whole = self._scan(drive, whole, params, torch.ones_like(weight), recurrent, keep)
        return activity, TwoCompartmentState(*whole, last)
