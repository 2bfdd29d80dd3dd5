"""``latch_scan`` compiled by numba: some thirty operations for each token and head. Kept for backward: the states."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled.fit import misshapen, unfit


def refuses(rise: Tensor, fall: Tensor, state: Tensor, kinetics: Tensor, keep: Tensor | None = None) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    given = {"rise": rise, "fall": fall, "state": state, "kinetics": kinetics, "keep": keep}
    if reason := unfit(given, torch.float32, torch.float64):
        return reason
    if rise.ndim != 3 or not rise.numel():
        return f"needs a rise of [B, T, H], none of them 0, got {list(rise.shape)}"
    batch, steps, heads = rise.shape
    shapes = {"fall": [batch, steps, heads], "state": [batch, 2, heads], "kinetics": [6, heads]}
    return misshapen(given, shapes | {"keep": [batch, steps]})


def run(rise: Tensor, fall: Tensor, state: Tensor, kinetics: Tensor, keep: Tensor | None = None) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(rise, fall, state, kinetics, rise.new_ones(rise.shape[:2]) if keep is None else keep)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rise: Tensor, fall: Tensor, state: Tensor, kinetics: Tensor, keep: Tensor) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.latch_scan import compiled_loops as loops

        batch, steps, heads = rise.shape
        made = rise.new_empty(batch, steps, 2, heads)
        arrays = (*map(_array, (rise, fall, state, kinetics, keep)), made.numpy())
        threads.run(lambda first, last: loops.walk_forward(*arrays, first, last), threads.shares(batch))
        ctx.save_for_backward(rise, fall, state, kinetics, keep, made)
        return made

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.latch_scan import compiled_loops as loops

        rise, fall, state, kinetics, _, _ = ctx.saved_tensors
        made = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in (rise, fall, state)]
        to_kinetics = np.zeros((len(rise), *kinetics.shape))
        arrays = (*map(_array, (*ctx.saved_tensors, gradients[0])), *(x.numpy() for x in made), to_kinetics)
        threads.run(lambda first, last: loops.walk_backward(*arrays, first, last), threads.shares(len(rise)))
        return *made, torch.from_numpy(to_kinetics.sum(0)).to(kinetics.dtype), None
