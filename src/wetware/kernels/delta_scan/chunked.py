"""``delta_scan`` in chunks: products of matrices within a chunk of tokens, the recurrence between chunks.

Within a chunk that starts at A_0, ``A_i = G_i A_0 + sum_{j<=i} (G_i / G_j) k_j u_j^T`` with G_i the product of all decays so
far. What token i really writes, u_i, depends on what those before it wrote, through a triangular system::

    u_i + erase_i sum_{j<i} (G_i / G_j) (k_i . k_j) u_j = write_i v_i - erase_i G_i A_0^T k_i

Its inverse does not depend on A_0, so it is applied for all chunks at once, and only three products of matrices walk along the
chunks. Yang et al., 2024 (arXiv 2406.06484, 2412.06464); here erase and write may differ and a document may end anywhere. No
number is divided by a product of decays: every pair of tokens gets the exponential of a difference of logarithms, which is
masked before it is taken.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LENGTH = 32
HOW = f"products of matrices over {LENGTH} tokens at a time"


def refuses(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: Tensor,
    decay: Tensor,
    erase: Tensor,
    write: Tensor,
    keep: Tensor | None = None,
) -> str | None:
    """Why these arguments need the reference, or None."""
    if query.shape[1] == 1:
        return "of one token, the recurrence is all there is"
    if query.dtype not in (torch.float32, torch.float64):
        return f"needs float32 or float64 for its triangular system, got {query.dtype}"
    return None


def _chunks(x: Tensor, count: int) -> Tensor:
    """[B, T, H, ...] to [B, H, count, LENGTH, ...], zeros at the end."""
    short = count * LENGTH - x.shape[1]
    if short:
        x = functional.pad(x, (0, 0) * (x.ndim - 2) + (0, short))
    return x.unflatten(1, (count, LENGTH)).movedim(3, 1)


def run(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    state: Tensor,
    decay: Tensor,
    erase: Tensor,
    write: Tensor,
    keep: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    steps = query.shape[1]
    count = -(-steps // LENGTH)
    query, key, value, decay, erase, write = (_chunks(x, count) for x in (query, key, value, decay, erase, write))
    sums = decay.cumsum(-1)  # log G_i
    earlier = torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=query.device).tril(-1)
    inside = sums
    before = sums - decay  # log G_{i-1}: what a read meets has not decayed yet at this token
    last = sums[..., -1:] - sums
    if keep is not None:
        document = _documents(keep, count)
        earlier = earlier & (document[..., None] == document[..., None, :])
        first = document == 0
        inside, before = inside.masked_fill(~first, -torch.inf), before.masked_fill(~first, -torch.inf)
        last = last.masked_fill(document != document[..., -1:], -torch.inf)
    reach, met = inside.exp(), before.exp()
    ratio = (sums[..., None] - sums[..., None, :]).masked_fill(~earlier, -torch.inf)
    weights = ratio.exp()
    system = erase[..., None] * weights * (key @ key.mT)
    one = torch.eye(LENGTH, dtype=key.dtype, device=key.device)
    solved = torch.linalg.solve_triangular(system, one.expand_as(system), upper=False, unitriangular=True)
    fresh, pull = (solved * write[..., None, :]) @ value, (solved * (erase * reach)[..., None, :]) @ key
    left = (last.exp()[..., None] * key).mT
    states, writes = [], []
    # unbind, for a gradient through an index fills a tensor as large as all chunks
    for wrote, pulled, whole, moved in zip(
        *(x.unbind(2) for x in (fresh, pull, reach[..., -1:, None], left)), strict=True
    ):
        states.append(state)
        writes.append(wrote - pulled @ state)
        state = whole * state + moved @ writes[-1]
    seen = torch.exp(ratio - decay[..., None]) * (query @ key.mT)
    out = met[..., None] * (query @ torch.stack(states, 2)) + seen @ torch.stack(writes, 2)
    return out.movedim(1, 3).flatten(1, 2)[:, :steps], state


def _documents(keep: Tensor, count: int) -> Tensor:
    """[B, 1, count, LENGTH]: the document of each token, counted in its chunk from the one that A_0 belongs to."""
    return (_chunks((keep == 0)[:, :, None].to(torch.int32), count)).cumsum(-1)
