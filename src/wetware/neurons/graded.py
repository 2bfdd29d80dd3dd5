"""The control of spikes: a leaky neuron that sends how much, not whether."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wetware.kernels import Op, graded_scan
from wetware.neurons.leaky import Resetting


@dataclass(frozen=True, kw_only=True)
class GradedLIF(Resetting):
    """:class:`~wetware.neurons.LIF` with the step replaced by the smooth function whose derivative its surrogate gradient is::

        u_t = (pre_t - threshold) / width
        s_t = 1/2 + (slope / 2) * u_t / (1 + slope |u_t|)         in (0, 1); 1/2 at the threshold
        v_t = pre_t - threshold * s_t

    ``ds/d pre = (slope / 2) / (1 + slope |u|)^2 / width``: at the default slope of 2 exactly the surrogate of LIF, and now the
    true derivative of what is sent (``width`` held constant, as there). Decay, threshold, reset, recurrence and all parameters
    are those of LIF, so that between the two stands binarity alone.

    What it reports as spikes are its graded outputs: a "rate" is their mean, and sums over spikes become dense products. The
    tails are heavy: a membrane at rest, one threshold below, still sends 1/6.
    """

    scan: ClassVar[Op] = graded_scan
    binary: ClassVar[bool] = False
