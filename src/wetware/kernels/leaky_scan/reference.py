"""The formula of ``leaky_scan`` in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor


def reference(drive: Tensor, share: Tensor, state: Tensor) -> Tensor:
    """Running sums, for each token t::

        x_t = share_t x_{t-1} + drive_t

    Args:
        drive: [B, T, H, D]. share: [B, T, H], what is kept of x, for all D alike; 0 starts afresh. state: x before the first
            token, [B, H, D].

    Returns:
        x after each token, [B, T, H, D]; the last is the state.
    """
    x, sums = state, []
    for now, kept in zip(drive.unbind(1), share.unbind(1), strict=True):
        x = kept[..., None] * x + now
        sums.append(x)
    return torch.stack(sums, 1)
