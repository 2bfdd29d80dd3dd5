"""The formulas of ``causal_scores`` and ``causal_mix``."""

from __future__ import annotations

from torch import Tensor


def scores(query: Tensor, key: Tensor) -> Tensor:
    """``s_ij = q_i . k_j`` for j <= i, else 0.

    Args:
        query, key: [B, H, T, D], of the same places.

    Returns:
        [B, H, T, T].
    """
    return (query @ key.mT).tril()


def mix(shares: Tensor, value: Tensor) -> Tensor:
    """``y_i = sum_{j <= i} a_ij v_j``; what stands above the diagonal is not read.

    Args:
        shares: [B, H, T, T]. value: [B, H, T, D].

    Returns:
        [B, H, T, D].
    """
    return shares.tril() @ value
