"""The formula of ``cross_entropy``."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def reference(logits: Tensor, targets: Tensor) -> Tensor:
    """``mean over rows of (log sum_j exp(z_j) - z_target)``, in nats.

    Args:
        logits: z, [R, V].
        targets: [R] of integers from 0 to V - 1.

    Returns:
        A scalar.
    """
    return functional.cross_entropy(logits, targets)
