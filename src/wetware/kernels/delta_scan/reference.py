"""The formula of ``delta_scan`` in plain PyTorch: the recurrence, token by token."""

from __future__ import annotations

import torch
from torch import Tensor


def reference(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: Tensor,
    decay: Tensor,
    erase: Tensor,
    write: Tensor,
    keep: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One associative memory for each sequence and head, read and then written at each token t::

        y_t = A_{t-1}^T q_t
        A'  = exp(decay_t) A_{t-1}
        A_t = A' - erase_t k_t (k_t^T A') + write_t k_t v_t^T

    With keys of length 1: ``erase = write`` is the delta rule (Widrow and Hoff, 1960; Schlag et al., 2021, arXiv 2102.11174),
    which replaces the share ``write`` of what was stored under a key; ``erase = 0`` is Hebb's rule, which adds. With a decay:
    Yang et al., Gated DeltaNet, 2024 (arXiv 2412.06464).

    Args:
        query, key: [B, T, H, K], keys of length 1 (or 0: such a token writes nothing). value: [B, T, H, D].
        state: A before the first token, [B, H, K, D].
        decay: [B, T, H], the logarithm of the share of A kept, not above 0: a share near 1 has no digits of its own in float32.
        erase, write: [B, T, H]; the memory cannot grow by erasing while erase is in [0, 2].
        keep: [B, T] of 0 and 1; 0 forgets A before that token reads (a document boundary).

    Returns:
        y [B, T, H, D], of the past alone, and A after the last token.
    """
    kept = decay.exp()
    rows = []
    for t in range(query.shape[1]):
        if keep is not None:
            state = state * keep[:, t, None, None, None]
        rows.append((query[:, t, :, None] @ state).squeeze(-2))
        state = kept[:, t, :, None, None] * state
        found = (key[:, t, :, None] @ state).squeeze(-2)
        new = write[:, t, :, None] * value[:, t] - erase[:, t, :, None] * found
        state = state + key[:, t, :, :, None] * new[:, :, None]
    return torch.stack(rows, 1), state
