"""``lateral_inhibition`` compiled by numba: each row is read once and stays in the nearest cache until it is done.

Kept for backward: shares and result, which the products beside this hold anyway, and the sum of each row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import too_few_elements
from wetware.kernels.compiled.fit import unfit

FEW = 1 << 15  # shares, below which another thread takes longer to call than to do without


def refuses(shares: Tensor, strength: Tensor, *, window: int) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    if reason := unfit({"shares": shares, "strength": strength}, torch.float32):
        return reason
    if shares.ndim != 4:
        return f"needs shares of [B, H, Q, K], got {list(shares.shape)}"
    if strength.shape != shares.shape[1:2]:
        return f"needs a strength of {list(shares.shape[1:2])}, got {list(strength.shape)}"
    if window < 1:
        return f"needs a window of 1 or more, got {window}"
    return too_few_elements(shares.numel())


def run(shares: Tensor, strength: Tensor, *, window: int) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(shares, strength, window)


def _rows(tensor: Tensor) -> np.ndarray:
    """[B * H, Q, K]."""
    return tensor.detach().contiguous().flatten(0, 1).numpy()


def _walk(loop: Any, arrays: tuple, shares: Tensor, window: int) -> None:
    """``loop`` over all (sequence, head), on several threads where that pays."""
    from wetware.kernels.compiled import threads

    batch, heads, queries, keys = shares.shape
    reach = min(window, keys - 1)  # what lies further is beyond both ends; the divisor stays
    parts = threads.shares(batch * heads, 1 + FEW // (queries * keys))
    threads.run(lambda first, last: loop(*arrays, np.float32(0.5 / window), reach, first, last), parts)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shares: Tensor, strength: Tensor, window: int) -> Tensor:
        from wetware.kernels.lateral_inhibition import compiled_loops as loops

        made, factors = shares.new_empty(shares.shape), shares.new_empty(shares.shape[:3])
        arrays = (_rows(shares), strength.detach().contiguous().numpy(), _rows(made), _rows(factors))
        _walk(loops.forward, arrays, shares, window)
        ctx.save_for_backward(shares, strength, made, factors)
        ctx.window = window
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.lateral_inhibition import compiled_loops as loops

        shares, strength, made, factors = ctx.saved_tensors
        to_shares = shares.new_empty(shares.shape)
        sums = np.zeros(shares.shape[0] * shares.shape[1])
        arrays = (_rows(shares), strength.detach().contiguous().numpy(), _rows(made), _rows(factors))
        _walk(loops.backward, (*arrays, _rows(gradients[0]), _rows(to_shares), sums), shares, ctx.window)
        return to_shares, torch.from_numpy(sums).view(shares.shape[:2]).sum(0).float(), None
