"""``spike_linear`` compiled by numba: forward and the gradient of the weights are sums over spikes.

The gradient of the spikes is a dense product: what a spike would have changed matters where it is absent too. Above
:data:`wetware.kernels.compiled.SWITCH` everything is dense, and exact for graded outputs too. Under autocast that product is
made in the type asked for; sums over spikes stay in float32, in which they are faster than a dense product in half of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from wetware.kernels.compiled import too_few_rows
from wetware.kernels.compiled.fit import unfit


def refuses(spikes: Tensor, weight: Tensor) -> str | None:
    """Why these arguments need the reference, or None."""
    if reason := unfit({"spikes": spikes, "weight": weight}, torch.float32):
        return reason
    if weight.ndim != 2 or spikes.shape[-1:] != weight.shape[1:]:  # the loops have no bounds checks
        return f"needs spikes [..., K] and a weight [N, K], got {list(spikes.shape)} and {list(weight.shape)}"
    if not spikes.numel():
        return "needs at least one element"
    return too_few_rows(spikes.numel() // spikes.shape[-1], weight.numel())


def run(spikes: Tensor, weight: Tensor) -> Tensor:
    """Same signature and meaning as the reference. Raises ValueError when sums over spikes meet anything but 0 and 1."""
    return _Compiled.apply(spikes, weight)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, weight: Tensor) -> Tensor:
        from wetware.kernels.compiled import events

        flat = spikes.detach().flatten(0, -2)
        some = flat[:: 1 + len(flat) // 64]  # enough to see which way is faster
        if int(some.count_nonzero()) > events.SWITCH * some.numel():
            made, ctx.fired = functional.linear(flat, weight), None
            ctx.save_for_backward(weight, flat)
        else:
            made, ctx.fired = events.inner(flat, weight.detach().t())
            ctx.save_for_backward(weight)
        ctx.shape = spikes.shape
        ctx.kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else spikes.dtype
        return made.view(*spikes.shape[:-1], len(weight))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        from wetware.kernels.compiled import events

        weight, *dense = ctx.saved_tensors
        above = gradients[0].flatten(0, -2)
        to_spikes = None
        if ctx.needs_input_grad[0]:
            to_spikes = (above.to(ctx.kind) @ weight.to(ctx.kind)).to(above.dtype).view(ctx.shape)
        to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = above.t() @ dense[0] if dense else events.outer(ctx.fired, above).t()
        return to_spikes, to_weight
