"""The leaky integrate-and-fire neuron."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wetware.kernels import Op, lif_scan
from wetware.neurons.leaky import Resetting


@dataclass(frozen=True, kw_only=True)
class LIF(Resetting):
    """A layer of leaky integrate-and-fire neurons (Lapicque, 1907, in discrete time)::

        pre_t = decay * v_{t-1} + gain * factor(decay) * current_t + s_{t-1} @ recurrent
        s_t   = 1[pre_t >= threshold]
        v_t   = pre_t - threshold * s_t

    One step is one token.
    """

    scan: ClassVar[Op] = lif_scan
