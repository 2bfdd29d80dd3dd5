"""``vesicle_scan`` in Triton, for GPUs; on the CPU in Triton's interpreter, which is for tests and slow.

As in the loops of numba nothing but the arguments is kept for backward. That walks forward once more, which leaves marks (the
state before each stretch of queries), then takes the stretches from the last to the first: it walks each again, writes down the
state that every query met, and walks back. The kernels stand in ``triton_kernels``, which is imported when it is first used.
Each program adds up the gradients of its own keys, PyTorch adds those up: no order changes from run to run.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wetware.kernels.gpu import blocks_of, interpreting, why_not
from wetware.kernels.vesicle_scan.reference import RING, misshapen

KERNELS = "wetware.kernels.vesicle_scan.triton_kernels"
# Keys of a program: few, as it is the number of programs that hides latency; one warp. Forward makes no product and sum at
# once: of a rested synapse the release must come out as that of its formula for rest, whatever the compiler would fuse.
SIZES = {"forward": {"BLOCK": 32, "num_warps": 1, "enable_fp_fusion": False}, "backward": {"BLOCK": 32, "num_warps": 1}}
# In the interpreter an operation costs the same whatever its size.
SIZES_INTERPRETED = {"forward": {"BLOCK": 1024}, "backward": {"BLOCK": 1024}}


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
    """What stands against running here comes first, as every call on a CPU asks; then what is wrong with the tensors."""
    if reason := why_not(kinetics, KERNELS):
        return reason
    if sample is not None:
        return "release is drawn, which these kernels do not"
    if state.dtype != kinetics.dtype:
        return f"needs a state in the type of the kinetics, {kinetics.dtype}, got {state.dtype}"
    if torch.promote_types(scores.dtype, kinetics.dtype) != kinetics.dtype:
        return f"needs scores in the type of the kinetics, {kinetics.dtype}, or a shorter one, got {scores.dtype}"
    if first.dtype != torch.int64:
        return f"needs int64 for first, got {first.dtype}"
    for name, tensor in (("scores", scores), ("state", state), ("first", first)):
        if tensor.device != kinetics.device:
            return f"needs all tensors on the device of the kinetics, {kinetics.device}, got {name} on {tensor.device}"
    return misshapen(scores, state, kinetics, first, time)


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
    return _Scan.apply(scores, state, kinetics, first, time, hidden)


def _span(queries: int, rows: int) -> int:
    """How many queries are walked at a time in backward: as many as make marks and notes, together, take the least room."""
    return min(queries, max(1, round(math.sqrt(queries * rows / (RING + 1)))))


def _launch(name: str, first: Tensor, shape: torch.Size, tensors: tuple, numbers: tuple) -> None:
    """A program for each block of lanes. shape: of the scores. numbers: delay, time, span. See ``triton_kernels``."""
    batch, heads, queries, keys = shape
    sizes = (SIZES_INTERPRETED if interpreting() else SIZES)[name]
    total = batch * heads * keys
    programs = blocks_of(total, sizes["BLOCK"])
    place = torch.arange(keys, device=first.device)
    reach = torch.searchsorted(first.contiguous(), place.repeat(batch, 1), right=True, out_int32=True)
    beyond = (0, programs * sizes["BLOCK"] - total)
    start = (place - keys + queries).clamp_min(0).repeat(batch * heads)
    stop = reach.repeat_interleave(heads, 0).flatten()
    begin = torch.nn.functional.pad(start, beyond, value=queries).view(programs, -1).amin(1)
    end = torch.nn.functional.pad(stop, beyond).view(programs, -1).amax(1)
    spans = torch.stack([begin.int(), end], 1)
    kernel = getattr(importlib.import_module(KERNELS), name)
    with torch.cuda.device_of(first):
        kernel[(programs,)](reach, spans, *tensors, total, heads, queries, keys, *numbers, **sizes)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, state: Tensor, kinetics: Tensor, first: Tensor, time: int, hidden: float
    ) -> tuple[Tensor, Tensor]:
        scores, state, kinetics = scores.contiguous(), state.contiguous(), kinetics.contiguous()
        batch, heads, queries, keys = scores.shape
        rows = state.shape[2]
        out, left = kinetics.new_full(scores.shape, hidden), kinetics.new_empty(batch, heads, rows, keys)
        tensors = (scores, state, kinetics, out, left, None)
        _launch("forward", first, scores.shape, tensors, (rows - RING, time, queries))
        ctx.save_for_backward(scores, state, kinetics, first)
        ctx.time = time
        ctx.set_materialize_grads(False)
        return out, left

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, to_out: Tensor | None, to_left: Tensor | None) -> Any:
        scores, state, kinetics, first = ctx.saved_tensors
        batch, heads, queries, keys = scores.shape
        rows = state.shape[2]
        span = _span(queries, rows)
        numbers = (rows - RING, ctx.time, span)
        marks = kinetics.new_empty(blocks_of(queries, span), batch, heads, rows, keys)
        notes = kinetics.new_empty(batch, heads, span, RING + 1, keys)
        to_out = None if to_out is None else to_out.contiguous()
        to_left = None if to_left is None else to_left.contiguous()
        to_state, to_scores = kinetics.new_empty(batch, heads, rows, keys), torch.zeros_like(scores)
        sums = kinetics.new_empty(19, batch, heads, keys)
        _launch("forward", first, scores.shape, (scores, state, kinetics, None, to_state, marks), numbers)
        tensors = (scores, kinetics, marks, notes, to_out, to_left, to_state, to_scores, sums)
        _launch("backward", first, scores.shape, tensors, numbers)
        to_kinetics = sums.sum((1, 3))
        to_kinetics[4:7] *= 2.0 * kinetics[4:7]  # the kernels know them squared
        return to_scores, to_state[..., : keys - queries], to_kinetics, None, None, None
