"""``leaky_scan`` compiled by numba. Kept for backward: the sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled.fit import misshapen, unfit


def refuses(drive: Tensor, share: Tensor, state: Tensor) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    given = {"drive": drive, "share": share, "state": state}
    if reason := unfit(given, torch.float32, torch.float64):
        return reason
    if drive.ndim != 4 or not drive.numel() or drive.shape[1] == 1:
        return f"needs a drive of [B, T, H, D], none of them 0 and more than one token, got {list(drive.shape)}"
    batch, _, heads, size = drive.shape
    return misshapen(given, {"share": [*drive.shape[:3]], "state": [batch, heads, size]})


def run(drive: Tensor, share: Tensor, state: Tensor) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(drive, share, state)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, share: Tensor, state: Tensor) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.leaky_scan import compiled_loops as loops

        sums = torch.empty_like(drive, memory_format=torch.contiguous_format)
        arrays = (*map(_array, (drive, share, state)), sums.numpy())
        threads.run(lambda first, last: loops.walk_forward(*arrays, first, last), threads.shares(len(drive)))
        ctx.save_for_backward(share, state, sums)
        return sums

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.leaky_scan import compiled_loops as loops

        share, state, sums = ctx.saved_tensors
        made = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in (sums, share, state)]
        arrays = (*map(_array, (share, state, sums, gradients[0])), *(x.numpy() for x in made))
        threads.run(lambda first, last: loops.walk_backward(*arrays, first, last), threads.shares(len(sums)))
        return tuple(made)
