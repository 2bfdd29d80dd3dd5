"""The formula of ``spike_linear``."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def reference(spikes: Tensor, weight: Tensor) -> Tensor:
    """``y = spikes W^T``: a linear map whose input is spikes, so that a backend may leave out what did not fire.

    Args:
        spikes: [..., K] of 0 and 1, of any type. Graded outputs may stand in their place if hardly any of them is 0.
        weight: [N, K].

    Returns:
        [..., N].
    """
    return functional.linear(spikes.to(weight.dtype), weight)
