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
    """``y_i = sum_{j <= i} a_ij v_j``.

    Args:
        shares: [B, H, T, T], 0 above the diagonal, where there is no gradient. value: [B, H, T, D].

    Returns:
        [B, H, T, D].
    """
    return shares.tril() @ value


def mix_twice(shares: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """``y`` of :func:`mix`, and ``z_i = sum_{j <= i} a_ij y_j``: what tokens two steps away give."""
    once = mix(shares, value)
    return once, mix(shares, once)
