"""The formula of ``gated_sum``."""

from __future__ import annotations

import torch
from torch import Tensor


def reference(x: Tensor, logits: Tensor, bias: Tensor, update: Tensor) -> Tensor:
    """``y = x + sigmoid(logits + bias) * update``.

    Args:
        x, logits, update: [..., N]. bias: [N].

    Returns:
        [..., N].
    """
    return x + torch.sigmoid(logits + bias) * update
