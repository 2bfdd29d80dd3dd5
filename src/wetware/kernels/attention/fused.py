"""``attention`` by PyTorch's fused kernels, for whole chunks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from wetware.kernels.attention.reference import visible


def refuses(query: Tensor, keys: tuple[Tensor, ...], values: tuple[Tensor, ...], first: Tensor) -> str | None:
    if query.shape[1] == 1 and len(keys) > 1:
        return "one query over several segments: joining them would copy the cache at every token"
    return None


def run(query: Tensor, keys: tuple[Tensor, ...], values: tuple[Tensor, ...], first: Tensor) -> Tensor:
    """Same signature and meaning as the reference."""
    key, value = (parts[0] if len(parts) == 1 else torch.cat(parts, 1) for parts in (keys, values))
    mask = visible(first, key.shape[1])[:, None]
    out = functional.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (query, key, value)), attn_mask=mask)
    return out.transpose(1, 2)
