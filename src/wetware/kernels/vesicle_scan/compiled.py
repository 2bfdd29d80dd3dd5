"""``vesicle_scan`` compiled by numba: blocks of keys that walk over their queries, their state in the nearest cache.

Nothing but the arguments is kept for backward. Measured on one thread of a processor with vectors of sixteen numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import why_not

RING = 7  # rows of the state before the ring
FEW = 1 << 15  # pairs of a query and a key, below which another thread takes longer to call than to do without


def refuses(scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, *, time: int) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    if reason := why_not():
        return reason
    for name, tensor in (("scores", scores), ("state", state), ("kinetics", kinetics), ("first", first)):
        if not tensor.is_cpu:
            return f"needs tensors on the CPU, got {name} on {tensor.device.type}"
        if tensor.dtype != (torch.int64 if tensor is first else torch.float32):
            return f"needs float32, and int64 for first, got {name} of {tensor.dtype}"
    if scores.ndim != 4 or not scores.numel() or scores.shape[2] > scores.shape[3]:
        return f"needs scores of [B, H, Q, K], none of them 0 and Q no more than K, got {list(scores.shape)}"
    batch, heads, queries, keys = scores.shape
    if state.ndim != 4 or state.shape[2] <= RING:
        return f"needs a state of [B, H, 7 + delay, K - Q] with a delay of 1 or more, got {list(state.shape)}"
    if state.shape != (batch, heads, state.shape[2], keys - queries):
        return f"needs a state of {[batch, heads, state.shape[2], keys - queries]}, got {list(state.shape)}"
    if kinetics.shape != (19, heads):
        return f"needs kinetics of {[19, heads]}, got {list(kinetics.shape)}"
    if first.shape != (batch, queries):
        return f"needs first of {[batch, queries]}, got {list(first.shape)}"
    return f"needs a time of 0 or more, got {time}" if time < 0 else None


def run(scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, *, time: int) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    if torch.is_grad_enabled() and (scores.requires_grad or state.requires_grad or kinetics.requires_grad):
        return _Compiled.apply(scores, state, kinetics, first, time)
    return _forward(scores.detach(), state.detach(), kinetics.detach(), first, time)


def _table(kinetics: Tensor) -> np.ndarray:
    """[H, 20]: what ``compiled_loops`` knows of each head."""
    table = np.empty((kinetics.shape[1], 20), np.float32)
    table[:, :19] = kinetics.numpy().T
    table[:, 4:7] *= table[:, 4:7]
    table[:, 19] = np.float32(0.7) * table[:, 5] + np.float32(0.3) * table[:, 4]
    return table


def _merged(tensor: Tensor) -> np.ndarray:
    """[B, H, ...] as an array of [B * H, ...]."""
    batch, heads, *rest = tensor.shape
    return tensor.contiguous().numpy().reshape(batch * heads, *rest)


def _groups(queries: int) -> int:
    """How many groups of keys walk together. More hide each other's delays and read longer pieces of each row, fewer leave room
    in the cache for what backward writes down."""
    return 4 if queries < 2048 else 1


def _arrays(scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int) -> tuple:
    flat = (_merged(x) for x in (scores, state))
    return (*flat, _table(kinetics), first.contiguous().numpy(), time)


def _parts(scores: Tensor) -> list[tuple[int, int]]:
    from wetware.kernels.compiled import threads

    batch, heads, queries, keys = scores.shape
    return threads.shares(batch * heads, 1 + FEW // (queries * keys))


def _forward(scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int) -> tuple[Tensor, Tensor]:
    from wetware.kernels.compiled import threads
    from wetware.kernels.vesicle_scan import compiled_loops as loops

    batch, heads, queries, keys = scores.shape
    out, left = torch.empty(scores.shape), torch.empty(batch, heads, state.shape[2], keys)
    arrays = _arrays(scores, state, kinetics, first, time)
    arrays += (_merged(out), _merged(left))
    arrays += (_groups(queries), np.uint64(loops.LANES))
    threads.run(lambda begin, end: loops.walk_forward(*arrays, begin, end), _parts(scores))
    return out, left


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(scores, state, kinetics, first)
        ctx.time = time
        ctx.set_materialize_grads(False)
        return _forward(scores, state, kinetics, first, time)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, to_out: Tensor | None, to_left: Tensor | None) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.vesicle_scan import compiled_back as loops

        scores, state, kinetics, first = ctx.saved_tensors
        if to_out is None:
            to_out = torch.zeros_like(scores)
        to_left = scores.new_empty(1, 0, 0, 0) if to_left is None else to_left
        to_scores, to_state = torch.empty(scores.shape), torch.empty(state.shape)
        sums = np.zeros((scores.shape[0] * scores.shape[1], 19))
        arrays = _arrays(scores, state, kinetics, first, ctx.time)
        arrays += tuple(map(_merged, (to_out, to_left, to_scores, to_state)))
        arrays += (sums, _groups(scores.shape[2]), np.uint64(loops.LANES))
        threads.run(lambda begin, end: loops.walk_backward(*arrays, begin, end), _parts(scores))
        to_kinetics = sums.reshape(*scores.shape[:2], 19).sum(0).T
        to_kinetics[4:7] *= 2.0 * kinetics[4:7].numpy()
        return to_scores, to_state, torch.from_numpy(to_kinetics).float(), None, None
