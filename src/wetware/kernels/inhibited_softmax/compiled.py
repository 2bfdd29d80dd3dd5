"""``inhibited_softmax`` compiled by numba: each row stays in the nearest cache until it is done, and what a query does not see
is not computed. PyTorch's way reads and writes all of it four times.

Kept for backward: the shares before and after inhibition, which the products beside this hold anyway.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import too_few_elements
from wetware.kernels.compiled.fit import misshapen, unfit

FEW = 1 << 15  # scores, below which another thread takes longer to call than to do without


def refuses(
    scores: Tensor, first: Tensor, slope: Tensor | None = None, strength: Tensor | None = None, window: int = 1
) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    given = {"scores": scores, "slope": slope, "strength": strength}
    if reason := unfit(given, torch.float32) or unfit({"first": first}, torch.int64):
        return reason
    if scores.ndim != 4 or scores.shape[2] > scores.shape[3]:
        return f"needs scores of [B, H, Q, K], Q no more than K, got {list(scores.shape)}"
    heads, rows = [*scores.shape[1:2]], [*scores.shape[::2][:2]]
    if reason := misshapen(given | {"first": first}, {"slope": heads, "strength": heads, "first": rows}):
        return reason
    if window < 1:
        return f"needs a window of 1 or more, got {window}"
    return too_few_elements(scores.numel())


def run(
    scores: Tensor, first: Tensor, slope: Tensor | None = None, strength: Tensor | None = None, window: int = 1
) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(scores, first, slope, strength, window)


def _rows(tensor: Tensor) -> np.ndarray:
    """[B * H, ...]."""
    return tensor.detach().contiguous().flatten(0, 1).numpy()


def _learned(*tensors: Tensor | None) -> list[np.ndarray]:
    return [np.zeros(0, np.float32) if x is None else x.detach().contiguous().numpy() for x in tensors]


def _walk(loop: Any, arrays: tuple, scores: Tensor, window: int) -> None:
    """``loop`` over all (sequence, head), on several threads where that pays."""
    from wetware.kernels.compiled import threads

    batch, heads, queries, keys = scores.shape
    reach = min(window, keys - 1)  # what lies further is beyond both ends; the divisor stays
    parts = threads.shares(batch * heads, 1 + FEW // (queries * keys))
    threads.run(lambda begin, end: loop(*arrays, np.float32(0.5 / window), reach, begin, end), parts)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, first: Tensor, slope: Tensor | None, strength: Tensor | None, window: int
    ) -> Tensor:
        from wetware.kernels.inhibited_softmax import compiled_loops as loops

        shares = scores.new_empty(scores.shape)
        made = shares if strength is None else scores.new_empty(scores.shape)
        factors = scores.new_empty(scores.shape[:3] if strength is not None else (1, 1, 1))
        arrays = (_rows(scores), first.contiguous().numpy(), *_learned(slope, strength))
        _walk(loops.forward, (*arrays, _rows(shares), _rows(made), _rows(factors)), scores, window)
        ctx.save_for_backward(first, slope, strength, shares, made, factors)
        ctx.window = window
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.inhibited_softmax import compiled_loops as loops

        first, slope, strength, shares, made, factors = ctx.saved_tensors
        to_scores = shares.new_empty(shares.shape)
        sums = np.zeros((2, shares.shape[0] * shares.shape[1]))
        arrays = (first.contiguous().numpy(), *_learned(slope, strength), *map(_rows, (shares, made, factors)))
        _walk(loops.backward, (*arrays, _rows(gradients[0]), _rows(to_scores), sums), shares, ctx.window)
        to_slope, to_strength = torch.from_numpy(sums).view(2, *shares.shape[:2]).sum(1).float()
        return (
            to_scores,
            None,
            to_slope if slope is not None else None,
            to_strength if strength is not None else None,
            None,
        )
