"""The formula of ``inhibited_softmax``."""

from __future__ import annotations

import torch
from torch import Tensor

from wetware.kernels.attention.reference import visible
from wetware.kernels.lateral_inhibition.reference import reference as inhibited


def barrier(slope: Tensor, queries: int, keys: int) -> Tensor:
    """What distance adds to scores, ``- slope_h log(1 + t - j)``, [H, Q, K]."""
    place = torch.arange(keys, device=slope.device)
    distance = (place[keys - queries :, None] - place).clamp_min(0)
    return -slope[:, None, None] * torch.log1p(distance.to(slope.dtype))


def reference(
    scores: Tensor, first: Tensor, slope: Tensor | None = None, strength: Tensor | None = None, window: int = 1
) -> Tensor:
    """Shares that sum to 1 over the keys j that a query t sees::

        a_tj = softmax_j(d_tj - slope_h log(1 + t - j)),    then the op ``lateral_inhibition``

    scores: d, [B, H, Q, K], of the last Q of K places; what stands where a query does not look is not read.
    first: [B, Q], the oldest key that each query sees. slope: [H], or None for 0. strength: of the inhibition, [H], from -1 to
    1, or None for none. window: of the inhibition, keys on each side.
    """
    if slope is not None:
        scores = scores + barrier(slope, *scores.shape[2:])
    shares = scores.masked_fill(~visible(first, scores.shape[-1])[:, None], -torch.inf).softmax(-1)
    return shares if strength is None else inhibited(shares, strength, window=window)
