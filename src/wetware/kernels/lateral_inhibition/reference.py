"""The formula of ``lateral_inhibition``."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def reference(shares: Tensor, strength: Tensor, *, window: int) -> Tensor:
    """Neighbouring shares inhibit each other; the sum over j is 1 again afterwards::

        u_j = a_j (1 - s (sum of a_i over 0 < |i - j| <= window) / (2 window)),        u_j / sum_j u_j

    shares: a, [B, H, Q, K], 0 or more, of each row a sum above 0. Beyond the ends they count as 0.
    strength: s of each head, [H], from -1 to 1; below 0 neighbours help each other.
    window: keys on each side, 1 or more.
    """
    width = 2 * window + 1
    near = functional.avg_pool1d(shares.flatten(0, 2)[:, None], width, 1, window)[:, 0].view_as(shares)
    others = (width * near - shares) / (width - 1)
    inhibited = shares * (1 - strength[:, None, None] * others)
    return inhibited / inhibited.sum(-1, keepdim=True)
