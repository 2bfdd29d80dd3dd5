"""``graded_scan`` with PyTorch operations only: the hand-written reverse walk of ``lif_scan``, which fits any neuron that sends
a function of its membrane."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from wetware.kernels.lif_scan import walk
from wetware.kernels.lif_scan.reference import surrogate

refuses = walk.refuses


def _graded(pre: Tensor, threshold: Tensor, width: Tensor, slope: float, out: Tensor | None = None) -> Tensor:
    """As in the reference, in few passes over one buffer."""
    u = torch.sub(pre, threshold, out=out).div_(width)
    below = u < 0
    tail = u.abs_().mul_(2.0 * slope).add_(2.0).reciprocal_()
    return torch.where(below, tail, 1.0 - tail, out=out)


def _derivative(pre: Tensor, threshold: Tensor, width: Tensor, slope: float) -> Tensor:
    return surrogate((pre - threshold) / width, slope).mul_(0.5 * slope).div_(width)


run = partial(walk.run, sending=walk.Sending(_graded, _derivative))
