"""A spiking neuron without a reset, whose decay the input sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.config import Config, number
from wetware.kernels import leaky_scan
from wetware.kernels.lif_scan import spike
from wetware.neurons.leaky import Leaky, LeakyLayer, wide
from wetware.neurons.neuron import Activity, NeuronParams
from wetware.operations import Operation, Workload
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class DecayByInput(Config):
    """``logit(decay)`` moved at each token by a causal convolution over the last ``taps`` inputs of the neuron itself; its
    weights start at 0."""

    taps: int = number(4, 1, 256)


@dataclass(frozen=True, kw_only=True)
class InputDecayNeuron(Leaky):
    """A neuron whose input says how much of the membrane is kept, and which a spike does not reset::

        x_t   = gain * current_t
        a_t   = sigmoid(logit(decay) + sum_j k_j x_{t-j})
        pre_t = a_t * pre_{t-1} + (1 - a_t) * x_t + s_{t-1} @ recurrent
        s_t   = 1[pre_t >= threshold]

    A reset keeps a membrane bounded and makes the neuron forget. Here the average keeps it bounded, and what is forgotten is
    learned. Without a reset the membrane is a linear recurrence, so that all tokens could be had at once; with recurrent
    weights it is not, and they cost a step of autograd for each token. What reads membranes reads ``pre``.

    After the dynamic spiking neuron (arXiv 2602.01133), which leaves open what its convolution mixes: here every neuron has its
    own. ``by_input=None`` is a leaky neuron without reset, its control.
    """

    by_input: DecayByInput | None = DecayByInput()

    def build(self, *, size: int) -> InputDecayLayer:
        return InputDecayLayer(self, size)


class InputDecayState(NamedTuple):
    """Membrane and spikes of the last token, [B, N] each, and the inputs of the last tokens that the convolution still needs,
    the newest first, [B, N] each."""

    membrane: Tensor
    spikes: Tensor
    inputs: tuple[Tensor, ...]


class InputDecayLayer(LeakyLayer):
    """See :class:`InputDecayNeuron`. State: :class:`InputDecayState`."""

    def __init__(self, config: InputDecayNeuron, size: int) -> None:
        super().__init__(config, size)
        self.config: InputDecayNeuron = config
        self.taps = config.by_input.taps if config.by_input else 0
        if config.by_input:
            self.kernel = parameter(self.taps, size, draw=filled(0.0), role=NEURON)

    def init_state(self, batch: int) -> InputDecayState:
        zeros = self.start.new_zeros(batch, self.size, dtype=wide(self.start))
        inputs = tuple(zeros.clone() for _ in range(self.taps - 1))
        return InputDecayState(zeros, zeros.clone(), inputs)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """Each membrane decays and takes its input in; before that, each tap of its convolution multiplies."""
        yield Operation("membrane", 2, self.size)
        if self.config.by_input:
            yield Operation("by_input", self.taps, self.size, weights=(self.kernel,))

    def _along_time(
        self,
        current: Tensor,
        state: InputDecayState,
        params: NeuronParams,
        recurrent: Tensor | None,
        keep: Tensor | None,
    ) -> tuple[Activity, InputDecayState]:
        x = params.gain[..., None, :] * current
        logit, inputs = torch.logit(params.decay, eps=1e-6), ()
        if self.config.by_input:
            shift, inputs = self._convolved(x, state.inputs, keep)
            logit = logit + shift
        decay = torch.sigmoid(logit).expand_as(x)
        drive, kept = (1.0 - decay) * x, decay if keep is None else decay * keep[..., None]
        if recurrent is None:
            pre = leaky_scan(drive[..., None], kept, state.membrane[..., None])[..., 0]
            spikes = self._spikes(pre, params)
        else:
            pre, spikes = self._token_by_token(drive, kept, state, params, recurrent, keep)
        return Activity(spikes, pre), InputDecayState(pre[:, -1], spikes[:, -1], inputs)

    def _convolved(
        self, x: Tensor, before: tuple[Tensor, ...], keep: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The convolution of ``x`` [B, T, N] after the inputs ``before``, none of them from an earlier document, and the inputs
        to hand on."""
        kernel, later = self.kernel.to(x.dtype), x
        total, last = kernel[0] * x, []
        for weights, first in zip(kernel[1:], before, strict=True):
            last.append(later[:, -1])
            later = torch.cat([first[:, None], later[:, :-1]], 1)
            later = later if keep is None else later * keep[..., None]
            total = total + weights * later
        return total, tuple(last)

    def _spikes(self, pre: Tensor, params: NeuronParams) -> Tensor:
        surrogate = self.config.surrogate
        return spike(pre, params.threshold, surrogate.width(params.threshold), surrogate.slope)

    def _token_by_token(
        self,
        drive: Tensor,
        kept: Tensor,
        state: InputDecayState,
        params: NeuronParams,
        recurrent: Tensor,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        membrane, spikes, walked = state.membrane, state.spikes, []
        for t in range(drive.shape[1]):
            heard = spikes if keep is None else spikes * keep[:, t, None]
            membrane = kept[:, t] * membrane + drive[:, t] + heard @ recurrent
            spikes = self._spikes(membrane, params)
            walked.append((membrane, spikes))
        pre, fired = (torch.stack(each, 1) for each in zip(*walked, strict=True))
        return pre, fired
