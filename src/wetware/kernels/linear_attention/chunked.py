"""``linear_attention`` in chunks: products of matrices within a chunk of tokens, the recurrence between chunks.

Yang et al., GLA, 2023 (arXiv 2312.06635), section 4, for one decay a head. Exact. No number is ever divided by a power of the
decay: within a chunk every pair of tokens gets ``decay^(t - s)`` itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

LONGEST = 64
HOW = f"products of matrices over {LONGEST} tokens at a time"


def refuses(
    query: Tensor, key: Tensor, value: Tensor, state: Tensor, decay: Tensor, keep: Tensor | None = None
) -> str | None:
    """Why these arguments need the reference, or None."""
    return "of one token, the recurrence is all there is" if query.shape[1] == 1 else None


def run(
    query: Tensor, key: Tensor, value: Tensor, state: Tensor, decay: Tensor, keep: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    query, key, value = (x.transpose(1, 2) for x in (query * query.shape[-1] ** -0.5, key, value))
    made = []
    for first in range(0, query.shape[2], LONGEST):
        part = slice(first, first + LONGEST)
        kept = None if keep is None else keep[:, part]
        out, state = _chunk(query[:, :, part], key[:, :, part], value[:, :, part], state, decay, kept)
        made.append(out)
    return torch.cat(made, 2).transpose(1, 2), state


def _chunk(
    query: Tensor, key: Tensor, value: Tensor, state: Tensor, decay: Tensor, keep: Tensor | None
) -> tuple[Tensor, Tensor]:
    """One chunk of C tokens, head before time: query, key [B, H, C, K], value [B, H, C, D]. y and S as in the reference.

    A token sees those of its own document, and ``state`` before the first boundary only.
    """
    places = torch.arange(query.shape[2], device=query.device)
    distance = places[:, None] - places
    weights = (decay[:, None, None] ** distance.clamp_min(0)).tril()  # [H, C, C]
    reach = decay[:, None] ** (places + 1)  # [H, C], how much of ``state`` is left at each token
    left = weights[:, -1]  # [H, C], how much of each token is left at the last
    whole = reach[:, -1:]
    if keep is not None:
        document = (keep == 0).cumsum(1)  # [B, C], counted from the one that ``state`` belongs to
        weights = weights * (document[:, None, :, None] == document[:, None, None])
        reach, left = reach * (document == 0)[:, None], left * (document == document[:, -1:])[:, None]
        whole = reach[..., -1:]
    out = (query @ key.mT * weights) @ value + query * reach[..., None] @ state
    return out, whole[..., None] * state + (key * left[..., None]).mT @ value
