"""The formula of ``lateral_inhibition`` in plain PyTorch."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def reference(shares: Tensor, strength: Tensor, *, window: int) -> Tensor:
    """For each query the shares a of its keys, lowered by those of their neighbours::

        b_j = a_j (1 - s / (2 window) sum of a_i over 0 < |i - j| <= window),    out_j = b_j / sum of b

    Beyond the ends shares are 0. Where the shares of a row sum to 1 and ``|s| < 1`` the sum of b is not 0.

    Args:
        shares: a, [B, H, Q, K]. strength: s, [H].

    Returns:
        [B, H, Q, K].
    """
    padded = functional.pad(shares, (window, window))
    keys = shares.shape[-1]
    places = [offset for offset in range(2 * window + 1) if offset != window]
    others = sum(padded[..., offset : offset + keys] for offset in places) / (2 * window)
    lowered = shares * (1 - strength[:, None, None] * others)
    return lowered / lowered.sum(-1, keepdim=True)
