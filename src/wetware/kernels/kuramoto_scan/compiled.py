"""``kuramoto_scan`` compiled by numba: a token is some thousand operations on numbers that stay in the cache.

Kept for backward: the states, and no more. What can be a product of matrices over all tokens afterwards is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled.fit import misshapen, unfit


def refuses(
    drive: Tensor,
    state: Tensor,
    start: Tensor,
    rotation: Tensor,
    left: Tensor,
    right: Tensor,
    coupling: Tensor,
    keep: Tensor | None = None,
    *,
    step: float,
) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    given = {"drive": drive, "state": state, "start": start, "rotation": rotation, "left": left, "right": right}
    given = {**given, "coupling": coupling, "keep": keep}
    if reason := unfit(given, torch.float32):
        return reason
    if drive.ndim != 4 or not drive.numel() or right.ndim != 2:
        return f"needs a drive of [B, T, n, G], none of them 0, and [n * G, R], got {list(drive.shape)}, {list(right.shape)}"
    batch, steps, dimension, count = drive.shape
    pair = [dimension * count, right.shape[1]]
    shapes = {"state": [batch, dimension, count], "start": [dimension, count], "left": pair, "right": pair}
    shapes |= {"rotation": [dimension, dimension, count], "coupling": [1]}
    return misshapen(given, shapes | {"keep": [batch, steps]})


def run(
    drive: Tensor,
    state: Tensor,
    start: Tensor,
    rotation: Tensor,
    left: Tensor,
    right: Tensor,
    coupling: Tensor,
    keep: Tensor | None = None,
    *,
    step: float,
) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Compiled.apply(drive, state, start, rotation, left, right, coupling, keep, step)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _kept(like: Tensor, keep: Tensor | None) -> Tensor:
    return like.new_ones(like.shape[:2]) if keep is None else keep


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        state: Tensor,
        start: Tensor,
        rotation: Tensor,
        left: Tensor,
        right: Tensor,
        coupling: Tensor,
        keep: Tensor | None,
        step: float,
    ) -> Tensor:
        from wetware.kernels.compiled import threads
        from wetware.kernels.kuramoto_scan import compiled_loops as loops

        states = torch.empty_like(drive, memory_format=torch.contiguous_format)
        fixed = tuple(map(_array, (start, rotation, right, left.t(), coupling)))
        arrays = (_array(drive), _array(_kept(drive, keep)), _array(state), *fixed, np.float32(step), states.numpy())
        threads.run(lambda first, last: loops.walk_forward(*arrays, first, last), threads.shares(len(drive)))
        ctx.save_for_backward(drive, state, start, rotation, left, right, coupling, keep, states)
        ctx.step = step
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.kuramoto_scan import compiled_loops as loops

        drive, state, start, rotation, left, right, coupling, keep, states = ctx.saved_tensors
        kept = _kept(drive, keep)
        before = torch.cat([state[:, None], states[:, :-1]], 1)
        before = torch.where(kept[:, :, None, None] == 0, start, before)
        fixed = tuple(map(_array, (rotation, right, left.t(), right.t(), left, coupling)))
        to_drive, to_state = torch.empty_like(states), torch.empty_like(before[:, 0])
        to_rotation, to_start = (np.zeros((len(drive), *x.shape), np.float32) for x in (rotation, start))
        arrays = (_array(drive), _array(kept), before.numpy(), *fixed, np.float32(ctx.step), _array(gradients[0]))
        outputs = (to_drive.numpy(), to_state.numpy(), to_rotation, to_start)
        threads.run(lambda first, last: loops.walk_backward(*arrays, *outputs, first, last), threads.shares(len(drive)))
        flat, pushed = before.flatten(2).flatten(0, 1), to_drive.flatten(2).flatten(0, 1)  # [B * T, n * G]
        to_left, to_right = pushed.t() @ (flat @ right), flat.t() @ (pushed @ left)
        to_coupling = (before.mean(-1) * to_drive.sum(-1)).sum().view(1)
        sums = (torch.from_numpy(x.sum(0)) for x in (to_start, to_rotation))
        return to_drive, to_state, *sums, to_left, to_right, to_coupling, None, None
