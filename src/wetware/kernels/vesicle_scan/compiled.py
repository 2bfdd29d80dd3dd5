"""``vesicle_scan`` compiled by numba: blocks of keys that walk over their queries, their state in the nearest cache.

Release that a sampler draws is drawn here too, if it tells how: see ``drawing``. Nothing but the arguments is kept for
backward. Measured on one thread of a processor with vectors of sixteen numbers.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled.fit import unfit
from wetware.kernels.vesicle_scan.drawing import Drawing
from wetware.kernels.vesicle_scan.reference import misshapen

FEW = 1 << 15  # pairs of a query and a key, below which another thread takes longer to call than to do without


def refuses(
    scores: Tensor,
    state: Tensor,
    kinetics: Tensor,
    first: Tensor,
    *,
    time: int,
    hidden: float = 0.0,
    sample: Callable | None = None,
) -> str | None:
    """Why these arguments need the reference, or None."""
    drawing = getattr(sample, "drawing", None)
    if sample is not None and drawing is None:
        return "release is drawn by a function of Python, which the loops cannot call"
    given = {"scores": scores, "state": state, "kinetics": kinetics}
    if reason := unfit(given, torch.float32) or unfit({"first": first}, torch.int64):
        return reason
    if reason := misshapen(scores, state, kinetics, first, time):
        return reason
    if drawing is not None and (drawing.rows.shape != scores.shape[:3] or not drawing.rows.is_cpu):
        return f"needs rows to draw from of {list(scores.shape[:3])}, got {list(drawing.rows.shape)}"
    return None


def run(
    scores: Tensor,
    state: Tensor,
    kinetics: Tensor,
    first: Tensor,
    *,
    time: int,
    hidden: float = 0.0,
    sample: Callable | None = None,
) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    drawn = None if sample is None else _drawn(sample.drawing)  # ty: ignore[missing-attribute]
    if torch.is_grad_enabled() and (scores.requires_grad or state.requires_grad or kinetics.requires_grad):
        return _Compiled.apply(scores, state, kinetics, first, time, hidden, drawn)
    return _forward(scores, state, kinetics, first, time, hidden, drawn)


def _drawn(drawing: Drawing) -> tuple:
    """What ``compiled_draws`` takes."""
    rows = drawing.rows.flatten().numpy().astype(np.uint32)
    return rows, int(drawing.way), drawing.vesicles, np.float32(1.0 / drawing.temperature), np.float32(drawing.share)


@functools.cache
def _module(name: str) -> Any:
    """One of the modules that need numba."""
    return importlib.import_module(f"wetware.kernels.{name}")


def _arrays(*tensors: Tensor) -> tuple[np.ndarray, ...]:
    return tuple(x.detach().contiguous().numpy() for x in tensors)


def _blocks(queries: int) -> tuple[int, np.uint64]:
    """How many groups of keys walk together, and the keys of each. Two groups read longer pieces of each row, one leaves room
    in the cache for what backward writes down."""
    return (2 if 64 <= queries < 4096 else 1), np.uint64(_module("vesicle_scan.compiled_rows").LANES)


def _walk(loop: Any, arrays: tuple, scores: Tensor) -> None:
    """``loop`` over all (sequence, head), on several threads where that pays."""
    batch, heads, queries, keys = scores.shape
    if scores.numel() < 2 * FEW:
        loop(*arrays, 0, batch * heads)
        return
    threads = _module("compiled.threads")
    threads.run(
        lambda begin, end: loop(*arrays, begin, end), threads.shares(batch * heads, 1 + FEW // (queries * keys))
    )


def _forward(
    scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int, hidden: float, drawn: tuple | None
) -> tuple[Tensor, Tensor]:
    batch, heads, queries, keys = scores.shape
    out, left = scores.new_empty(scores.shape), scores.new_empty(batch, heads, state.shape[2], keys)
    arrays = (
        *_arrays(scores, state, kinetics, first),
        time,
        np.float32(hidden),
        *_arrays(out, left),
        drawn,
        *_blocks(queries),
    )
    _walk(_module("vesicle_scan.compiled_loops").walk_forward, arrays, scores)
    return out, left


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        state: Tensor,
        kinetics: Tensor,
        first: Tensor,
        time: int,
        hidden: float,
        drawn: tuple | None,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(scores, state, kinetics, first)
        ctx.time, ctx.drawn = time, drawn
        ctx.set_materialize_grads(False)
        return _forward(scores, state, kinetics, first, time, hidden, drawn)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, to_out: Tensor | None, to_left: Tensor | None) -> Any:
        scores, state, kinetics, first = ctx.saved_tensors
        to_out = torch.zeros_like(scores) if to_out is None else to_out
        to_left = scores.new_empty(0, 0, 0, 0) if to_left is None else to_left
        to_scores, to_state = scores.new_empty(scores.shape), state.new_empty(state.shape)
        sums = np.zeros((scores.shape[0] * scores.shape[1], 19))
        arrays = (
            *_arrays(scores, state, kinetics, first),
            ctx.time,
            *_arrays(to_out, to_left, to_scores, to_state),
            sums,
            ctx.drawn,
        )
        _walk(_module("vesicle_scan.compiled_back").walk_backward, (*arrays, *_blocks(scores.shape[2])), scores)
        to_kinetics = torch.from_numpy(sums).view(*scores.shape[:2], 19).sum(0).t()
        to_kinetics[4:7] *= 2.0 * kinetics[4:7]  # the loops know them squared
        return to_scores, to_state, to_kinetics.float(), None, None, None, None
