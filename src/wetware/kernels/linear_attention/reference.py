"""The formula of ``linear_attention`` in plain PyTorch: the recurrence, token by token."""

from __future__ import annotations

import torch
from torch import Tensor


def reference(
    query: Tensor, key: Tensor, value: Tensor, state: Tensor, decay: Tensor, keep: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Attention without a softmax, as a recurrence on one matrix a head. For each token t of each sequence and head::

        S_t = decay * k_t * S_{t-1} + key_t value_t^T
        y_t = S_t^T query_t / sqrt(K)

    Katharopoulos et al., 2020 (arXiv 2006.16236); with a decay: Sun et al., RetNet, 2023 (arXiv 2307.08621). Nothing divides by
    the sum of the weights: whoever reads y normalises it.

    Args:
        query, key: [B, T, H, K]. value: [B, T, H, D].
        state: S before the first token, [B, H, K, D].
        decay: [H], the share of S kept per token, in (0, 1].
        keep: [B, T] of 0 and 1, the k_t above; 0 forgets S before that token (a document boundary).

    Returns:
        y [B, T, H, D], and S after the last token.
    """
    rows = []
    for t in range(query.shape[1]):
        kept = decay[:, None, None] * state
        if keep is not None:
            kept = kept * keep[:, t, None, None, None]
        state = kept + key[:, t, :, :, None] * value[:, t, :, None]
        rows.append((query[:, t, :, None] @ state).squeeze(-2))
    return torch.stack(rows, 1) * query.shape[-1] ** -0.5, state
