"""The formula of ``graded_scan`` in plain PyTorch: what every faster backend must agree with."""

from __future__ import annotations

import torch
from torch import Tensor

from wetware.kernels.lif_scan.reference import LIFState, along_time


def graded(pre: Tensor, threshold: Tensor, width: Tensor, slope: float) -> Tensor:
    """``1/2 + (slope / 2) u / (1 + slope |u|)`` with ``u = (pre - threshold) / width``: the integral of the fast sigmoid's
    surrogate gradient, scaled to go from 0 to 1. Its derivative by u is ``(slope / 2) / (1 + slope |u|)^2``.

    Written by its distance from the nearer end, ``1 / (2 + 2 slope |u|)``, which does not cancel: no output is ever 0.
    """
    u = (pre - threshold) / width
    tail = 0.5 / (1.0 + slope * u.abs())
    return torch.where(u < 0, tail, 1.0 - tail)


def reference(
    current: Tensor,
    state: LIFState,
    decay: Tensor,
    threshold: Tensor,
    gain: Tensor,
    recurrent: Tensor | None = None,
    keep: Tensor | None = None,
    *,
    width: Tensor,
    slope: float = 2.0,
    reset_gradient: float = 0.0,
    bound: float | None = None,
) -> tuple[Tensor, Tensor, LIFState]:
    """``lif_scan`` with the step replaced by a smooth function, of which the surrogate there is the derivative (at slope 2;
    else ``slope / 2`` times that): forward and backward agree.

    For each token t, element-wise over the neurons of a sequence::

        pre_t = decay * k_t * v_{t-1} + gain * current_t + (k_t * s_{t-1}) @ recurrent
        s_t   = 1/2 + (slope / 2) u / (1 + slope |u|),  u = (pre_t - threshold) / width
        v_t   = soft_clamp(pre_t - threshold * s_t, bound)

    Arguments, what is held constant going back (``width``; the s of the reset, but for ``reset_gradient`` of it) and results as
    in ``lif_scan``; what is called spikes lies in (0, 1).
    """
    leak = (current, state, decay, threshold, gain, recurrent, keep)
    return along_time(graded, *leak, width=width, slope=slope, reset_gradient=reset_gradient, bound=bound)
