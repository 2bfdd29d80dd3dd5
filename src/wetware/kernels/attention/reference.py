"""The formula of ``attention`` in plain PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor


def visible(first: Tensor, keys: int) -> Tensor:
    """[B, Q, K] mask: query i, which stands at key ``K - Q + i``, sees the keys from ``first[b, i]`` up to itself."""
    queries = first.shape[1]
    key = torch.arange(keys, device=first.device)
    last = torch.arange(keys - queries, keys, device=first.device)
    return (key >= first[..., None]) & (key <= last[:, None])


def reference(query: Tensor, keys: tuple[Tensor, ...], values: tuple[Tensor, ...], first: Tensor) -> Tensor:
    """Causal softmax attention (Vaswani et al., 2017) whose keys and values come in segments.

    ``out_i = sum_j softmax_j(q_i . k_j / sqrt(D)) v_j`` over the keys j that query i may see. The segments are never joined:
    only the scores are, which are D times smaller, so that a cache can grow without being copied.

    Args:
        query: [B, Q, H, D], for the last Q of all K positions.
        keys, values: tuples of [B, S, H, D]; together K positions, oldest first.
        first: [B, Q] integers, the oldest key each query sees (0 = all): a window, a document's start.

    Returns:
        [B, Q, H, D].
    """
    scale = query.shape[-1] ** -0.5
    scores = torch.cat([torch.einsum("bqhd,bkhd->bhqk", query * scale, segment) for segment in keys], -1)
    scores = scores.masked_fill(~visible(first, scores.shape[-1])[:, None], -torch.inf)
    shares = scores.softmax(-1).split([segment.shape[1] for segment in keys], -1)
    parts = [torch.einsum("bhqk,bkhd->bqhd", share, segment) for share, segment in zip(shares, values, strict=True)]
    return torch.stack(parts).sum(0)
