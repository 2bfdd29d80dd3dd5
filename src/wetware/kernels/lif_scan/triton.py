"""``lif_scan`` in Triton, for GPUs; on the CPU in Triton's interpreter, which is for tests and slow.

Only the membranes before reset are kept; spikes and membranes after reset are recomputed from them. The kernels stand in
``triton_kernels``, which is imported when it is first used. Nothing is summed in an order that could change from run to run:
each program adds up the gradients of its own sequences and neurons, PyTorch adds those up over the batch.
"""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor

from wetware.kernels.gpu import blocks_of, interpreting, why_not
from wetware.kernels.lif_scan.reference import LIFState

KERNELS = "wetware.kernels.lif_scan.triton_kernels"
# Neurons of a program: few, as it is the number of programs that hides latency. 16 rows are the least that tl.dot takes.
APART = {"BLOCK": 64, "num_warps": 2}
TOGETHER = {"ROWS": 16, "BLOCK": 64, "INNER": 32, "num_warps": 4}
# In the interpreter an operation costs the same whatever its size.
APART_INTERPRETED = {"BLOCK": 128}
TOGETHER_INTERPRETED = {"ROWS": 16, "BLOCK": 128, "INNER": 128}
# Up to so many blocks of neurons one program walks them all and time too. Beyond, the products are too much for one
# multiprocessor: each block gets a program, each token a launch. Reckoned from operation counts, not measured.
BLOCKS_OF_ONE_PROGRAM = 4


def refuses(
    current: Tensor,
    state: LIFState,
    decay: Tensor,
    threshold: Tensor,
    gain: Tensor,
    recurrent: Tensor | None = None,
    keep: Tensor | None = None,
    *,
    width: Tensor,
    **constants: Any,
) -> str | None:
    """What stands against running here comes first, as every call on a CPU asks; then what is wrong with the tensors."""
    if reason := _no_device(current, recurrent is not None):
        return reason
    if current.ndim != 3 or not current.numel():
        return f"needs a current of [B, T, N], none of them 0, got {list(current.shape)}"
    batch, steps, size = current.shape
    shapes = {name: (tensor, [batch, size]) for name, tensor in zip(("membrane", "spikes"), state, strict=True)}
    vectors = {"decay": decay, "threshold": threshold, "gain": gain, "width": width}
    shapes |= {name: (tensor, [size]) for name, tensor in vectors.items()}
    shapes |= {} if recurrent is None else {"recurrent": (recurrent, [size, size])}
    for name, (tensor, _) in shapes.items():
        if tensor.dtype != current.dtype:
            return f"needs all tensors in the type of the current, {current.dtype}, got {name} in {tensor.dtype}"
    shapes |= {} if keep is None else {"keep": (keep, [batch, steps])}  # of any type: it is a mask
    for name, (tensor, shape) in shapes.items():
        if list(tensor.shape) != shape:
            return f"needs {name} of {shape}, got {list(tensor.shape)}"
        if tensor.device != current.device:
            return f"needs all tensors on the device of the current, {current.device}, got {name} on {tensor.device}"
    return None


def _no_device(current: Tensor, recurrent: bool) -> str | None:
    """Why no kernel can run on the device of ``current``, or not in its type."""
    if current.device.type == "cuda" and not interpreting() and recurrent and current.dtype == torch.float64:
        return "recurrent weights in float64 are not supported on a GPU: tl.dot may not take them"
    return why_not(current, KERNELS)


def run(
    current: Tensor,
    state: LIFState,
    decay: Tensor,
    threshold: Tensor,
    gain: Tensor,
    recurrent: Tensor | None = None,
    keep: Tensor | None = None,
    *,
    width: Tensor,
    slope: float = 2.0,
    reset_gradient: float = 0.0,
    bound: float | None = None,
) -> tuple[Tensor, Tensor, LIFState]:
    """Same signature and meaning as the reference."""
    constants = (width.detach(), slope, reset_gradient, bound)
    keep = None if keep is None else keep.detach().to(current.dtype).contiguous()
    outputs = _Scan.apply(current, *state, decay, threshold, gain, recurrent, keep, constants)
    spikes, membranes, membrane, last = outputs
    return spikes, membranes, LIFState(membrane, last)


def _table(decay: Tensor, threshold: Tensor, gain: Tensor, constants: tuple) -> Tensor:
    """[7, N]: what the kernels know of each neuron, in the order of their ``_row``."""
    width, slope, reset_gradient, bound = constants
    clamp = torch.full_like(threshold, 1.0 if bound is None else bound)
    return torch.stack([decay, threshold, gain, 1.0 / width, slope / width, reset_gradient * threshold, clamp])


def _launch_apart(name: str, arguments: tuple, batch: int, size: int, bounded: bool) -> None:
    """One launch for all time; a program for each sequence and block of neurons."""
    kernel, sizes = getattr(importlib.import_module(KERNELS), name), APART_INTERPRETED if interpreting() else APART
    kernel[(batch, blocks_of(size, sizes["BLOCK"]))](*arguments, BOUNDED=bounded, **sizes)


def _launch_together(name: str, arguments: tuple, batch: int, steps: int, size: int, bounded: bool) -> None:
    """Few neurons: one launch for all time. Many: one for each token, so that their blocks can share the work."""
    kernel, sizes = (
        getattr(importlib.import_module(KERNELS), name),
        TOGETHER_INTERPRETED if interpreting() else TOGETHER,
    )
    rows, blocks = blocks_of(batch, sizes["ROWS"]), blocks_of(size, sizes["BLOCK"])
    if blocks <= BLOCKS_OF_ONE_PROGRAM:
        blocks, launches = 1, [(0, steps)]
    else:
        launches = [(t, t + 1) for t in range(steps)]
    for begin, end in launches:
        kernel[(rows, blocks)](*arguments, batch, steps, size, begin, end, BOUNDED=bounded, **sizes)


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        membrane: Tensor,
        last: Tensor,
        decay: Tensor,
        threshold: Tensor,
        gain: Tensor,
        recurrent: Tensor | None,
        keep: Tensor | None,
        constants: tuple,
    ) -> tuple[Tensor, ...]:
        current, membrane, last = current.contiguous(), membrane.contiguous(), last.contiguous()
        recurrent = _contiguous(recurrent)
        table = _table(decay, threshold, gain, constants)
        bounded, (batch, steps, size) = constants[3] is not None, current.shape
        spikes, pre = torch.empty_like(current), torch.empty_like(current)
        with torch.cuda.device_of(current):
            if recurrent is None:
                after = torch.empty_like(membrane)
                arguments = (current, membrane, keep, table, spikes, pre, after, steps, size)
                _launch_apart("forward_apart", arguments, batch, size, bounded)
            else:
                after = membrane.clone()
                arguments = (current, last, after, keep, recurrent, table, spikes, pre)
                _launch_together("forward_together", arguments, batch, steps, size, bounded)
        ctx.save_for_backward(current, membrane, last, table, recurrent, keep, pre)
        ctx.bounded = bounded
        ctx.set_materialize_grads(False)
        return spikes, pre, after, spikes[:, -1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        current, membrane, last, table, recurrent, keep, pre = ctx.saved_tensors
        batch, steps, size = current.shape
        d_spikes, d_pre, d_after, d_last = map(_contiguous, gradients)
        d_recurrent, d_first = None, torch.zeros_like(last)
        with torch.cuda.device_of(current):
            if recurrent is None:
                d_current, d_membrane = torch.empty_like(current), torch.empty_like(membrane)
                sums = current.new_empty(3, batch, size)
                arguments = (pre, current, membrane, keep, table, d_spikes, d_pre, d_after, d_last)
                arguments += (d_current, d_membrane, sums, batch, steps, size)
                _launch_apart("backward_apart", arguments, batch, size, ctx.bounded)
            else:
                p, sums = torch.empty_like(pre), current.new_zeros(3, batch, size)
                d_membrane = torch.zeros_like(membrane) if d_after is None else d_after.clone()
                arguments = (pre, current, membrane, keep, recurrent, table, d_spikes, d_pre, d_last)
                arguments += (d_membrane, p, sums)
                _launch_together("backward_together", arguments, batch, steps, size, ctx.bounded)
                d_current, d_first, d_recurrent = _recurrent_gradients(p, pre, last, table, recurrent, keep)
        return d_current, d_membrane, d_first, *sums.sum(1), d_recurrent, None, None


def _recurrent_gradients(
    p: Tensor, pre: Tensor, last: Tensor, table: Tensor, recurrent: Tensor, keep: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """From p = dL/dpre [B, T, N]: the gradients to the current, to the spikes before the first token and to the weights."""
    before = torch.empty_like(pre)
    before[:, 0] = last
    torch.ge(pre[:, :-1], table[1], out=before[:, 1:])
    heard = p[:, 0] @ recurrent.T
    if keep is not None:
        before *= keep[..., None]
        heard *= keep[:, :1]
    return table[2] * p, heard, before.flatten(0, 1).T @ p.flatten(0, 1)
