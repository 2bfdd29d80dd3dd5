"""``vesicle_scan`` compiled by numba: blocks of keys walk over all queries. The way back goes forward once more, block by
block, so that no state is kept between the two (it would be eleven numbers for each query and key)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import why_not
from wetware.kernels.vesicle_scan.reference import KINETICS, RING


def refuses(
    scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, *, time: int, hidden: float = 0.0
) -> str | None:
    """Why these arguments need the reference, or None. Shapes are looked at here, as the loops have no bounds checks."""
    if reason := why_not():
        return reason
    for name, tensor in (("scores", scores), ("state", state), ("kinetics", kinetics)):
        if tensor.device.type != "cpu":
            return f"needs tensors on the CPU, got {tensor.device.type}"
        if tensor.dtype != torch.float32:
            return f"needs float32, got {name} of {tensor.dtype}"
    if scores.ndim != 4 or state.ndim != 4 or not scores.numel():
        return f"needs scores [B, H, Q, K], none of them 0, got {list(scores.shape)}"
    batch, heads, queries, keys = scores.shape
    rows = state.shape[2]
    if keys < queries or rows <= RING:
        return f"needs at least as many keys as queries and a ring, got {list(scores.shape)}, {list(state.shape)}"
    shapes = {"state": (state, [batch, heads, rows, keys - queries]), "first": (first, [batch, queries])}
    shapes |= {"kinetics": (kinetics, [len(KINETICS), heads])}
    for name, (tensor, shape) in shapes.items():
        if list(tensor.shape) != shape:
            return f"needs {name} of {shape}, got {list(tensor.shape)}"
    return None


def run(
    scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, *, time: int, hidden: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    if torch.is_grad_enabled() and (scores.requires_grad or state.requires_grad or kinetics.requires_grad):
        return _Compiled.apply(scores, state, kinetics, first, time, hidden)
    return _forward(scores, state, kinetics, first, time, hidden)


def _flat(tensor: Tensor) -> np.ndarray:
    """[B, H, ...] as [B * H, ...]."""
    return tensor.detach().contiguous().flatten(0, 1).numpy()


def _forward(
    scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int, hidden: float
) -> tuple[Tensor, Tensor]:
    from wetware.kernels.compiled import threads
    from wetware.kernels.vesicle_scan import compiled_loops as loops

    batch, heads, _, keys = scores.shape
    out = torch.empty_like(scores, memory_format=torch.contiguous_format)
    left = scores.new_empty(batch, heads, state.shape[2], keys)
    rates = kinetics.detach().t().contiguous().numpy()
    given = (_flat(scores), _flat(state), rates, first.contiguous().numpy(), time, np.float32(hidden), heads)
    made = (_flat(out), _flat(left))
    threads.run(lambda begin, end: loops.forward(*given, *made, begin, end), threads.shares(batch * heads))
    return out, left


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int, hidden: float
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(scores, state, kinetics, first)
        ctx.time = time
        return _forward(scores, state, kinetics, first, time, hidden)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import threads
        from wetware.kernels.vesicle_scan import compiled_loops as loops

        scores, state, kinetics, first = ctx.saved_tensors
        batch, heads = scores.shape[:2]
        to_scores = torch.empty_like(scores, memory_format=torch.contiguous_format)
        to_state = torch.empty_like(state, memory_format=torch.contiguous_format)
        to_kinetics = np.empty((batch * heads, loops.RATES), np.float32)
        rates = kinetics.detach().t().contiguous().numpy()
        given = (_flat(scores), _flat(state), rates, first.contiguous().numpy(), ctx.time, heads)
        given += (_flat(gradients[0]), _flat(gradients[1]))
        made = (_flat(to_scores), _flat(to_state), to_kinetics)
        threads.run(lambda begin, end: loops.backward(*given, *made, begin, end), threads.shares(batch * heads))
        rates_back = torch.from_numpy(to_kinetics).view(batch, heads, -1).sum(0).t()
        return to_scores, to_state, rates_back, None, None, None
