"""``lateral_inhibition`` compiled by numba: one pass over each row, forward and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import why_not


def refuses(shares: Tensor, strength: Tensor, *, window: int) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    if reason := why_not():
        return reason
    for name, tensor in (("shares", shares), ("strength", strength)):
        if tensor.device.type != "cpu":
            return f"needs tensors on the CPU, got {tensor.device.type}"
        if tensor.dtype != torch.float32:
            return f"needs float32, got {name} of {tensor.dtype}"
    if shares.ndim != 4 or not shares.numel() or list(strength.shape) != [shares.shape[1]] or window < 1:
        return f"needs shares [B, H, Q, K] and strength [H], got {list(shares.shape)} and {list(strength.shape)}"
    return None


def run(shares: Tensor, strength: Tensor, *, window: int) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(shares, strength, window)


def _rows(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().flatten(0, 2).numpy()


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shares: Tensor, strength: Tensor, window: int) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.lateral_inhibition import compiled_loops as loops

        out = torch.empty_like(shares, memory_format=torch.contiguous_format)
        arrays = (_rows(shares), strength.detach().contiguous().numpy(), shares.shape[2], window, _rows(out))
        threads.run(lambda first, last: loops.forward(*arrays, first, last), threads.shares(len(arrays[0]), 64))
        ctx.save_for_backward(shares, strength, out)
        ctx.window = window
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.lateral_inhibition import compiled_loops as loops

        shares, strength, out = ctx.saved_tensors
        to_shares = torch.empty_like(shares, memory_format=torch.contiguous_format)
        slopes = torch.empty(shares.shape[:3])
        arrays = (_rows(shares), strength.detach().contiguous().numpy(), shares.shape[2], ctx.window)
        arrays += (_rows(out), _rows(gradients[0]), _rows(to_shares), slopes.view(-1).numpy())
        threads.run(lambda first, last: loops.backward(*arrays, first, last), threads.shares(len(arrays[0]), 64))
        return to_shares, slopes.sum((0, 2)), None
