"""``lif_scan`` compiled by numba: time costs what fires.

Forward, the recurrent product of a token is the sum of the rows of the neurons that fired (a dense product when more than
:data:`wetware.kernels.compiled.SWITCH` of
them did). Backward is one reverse walk, its product with the transposed weights dense, because every neuron
has a gradient whether it fired or not; the gradient of the weights is again a sum over spikes. Each thread takes some of the
sequences through the whole chunk, so that none waits for another at every token. Kept for backward: the membranes before
reset, and no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from wetware.kernels.compiled import too_few_rows
from wetware.kernels.compiled.fit import misshapen, unfit
from wetware.kernels.lif_scan.reference import LIFState


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
    **_: Any,
) -> str | None:
    """Why these arguments need another backend, or None. Shapes are looked at here, as the loops have no bounds checks."""
    vectors = {"decay": decay, "threshold": threshold, "gain": gain, "width": width}
    given = {"current": current, **state._asdict(), **vectors, "recurrent": recurrent, "keep": keep}
    if reason := unfit(given, torch.float32):
        return reason
    if current.ndim != 3 or not current.numel():
        return f"needs a current of [B, T, N], none of them 0, got {list(current.shape)}"
    batch, steps, size = current.shape
    shapes = {name: [batch, size] for name in state._fields} | {name: [size] for name in vectors}
    if reason := misshapen(given, shapes | {"recurrent": [size, size], "keep": [batch, steps]}):
        return reason
    return None if recurrent is None else too_few_rows(batch * steps, recurrent.numel())


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
    """Same signature and meaning as the reference. Spikes of the state and ``keep`` must be 0 or 1, as they are."""
    constants = (width, slope, reset_gradient, bound or 0.0)
    outputs = _Compiled.apply(current, *state, decay, threshold, gain, recurrent, keep, constants)
    return outputs[0], outputs[1], LIFState(*outputs[2:])


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _all(like: Tensor, keep: Tensor | None) -> np.ndarray:
    return np.ones(like.shape[:2], np.float32) if keep is None else _array(keep)


class _Compiled(torch.autograd.Function):
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
        from wetware.kernels.compiled import events, products, threads
        from wetware.kernels.lif_scan import compiled_loops as loops

        current = current.contiguous()
        spikes, pre = torch.empty_like(current), torch.empty_like(current)
        # copies that the walk turns into the final state
        v, s = (tensor.detach().clone(memory_format=torch.contiguous_format) for tensor in (membrane, last))
        weights = current.new_empty(0, 0) if recurrent is None else recurrent.detach().contiguous()
        panels = products.packed(weights) if recurrent is not None else np.empty((0, 0, products.PANEL), np.float32)
        arrays = [_array(x) for x in (decay, threshold, gain)]
        outputs = [x.numpy() for x in (spikes, pre, v, s)]
        fixed = (_array(current), _all(current, keep), *arrays, weights.numpy(), panels, np.float32(constants[3]))

        def work(first: int, stop: int) -> None:
            loops.walk_forward(*fixed, events.SWITCH, first, stop, *outputs)

        threads.run(work, threads.shares(len(current)))
        ctx.save_for_backward(current, membrane, last, decay, threshold, gain, recurrent, keep, pre)
        ctx.constants = constants
        ctx.set_materialize_grads(False)
        return spikes, pre, v, s

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        from wetware.kernels.compiled import events, products, threads
        from wetware.kernels.lif_scan import compiled_loops as loops

        current, membrane, last, decay, threshold, gain, recurrent, keep, pre = ctx.saved_tensors
        width, slope, through, bound = ctx.constants
        size, none = pre.shape[2], pre.new_zeros(1, 1, pre.shape[2])
        d_spikes, d_pre = (_array(none if x is None else x) for x in gradients[:2])
        to_membrane, to_spikes = (
            torch.zeros_like(membrane) if x is None else x.clone(memory_format=torch.contiguous_format)
            for x in gradients[2:]
        )
        panels = np.empty((0, 0, products.PANEL), np.float32)
        if recurrent is not None:
            panels = products.packed(recurrent.detach().t())
        p, kept, fired = torch.empty_like(pre), _all(pre, keep), np.empty(pre.shape, np.uint8)
        parameters = [_array(x) for x in (decay, threshold, gain)]
        start = (_array(membrane), _array(last), _array(pre))
        numbers = (_array(width), np.float32(slope), np.float32(through), np.float32(bound))
        parts = threads.shares(len(pre))
        sums = np.zeros((len(parts), 3, size))

        def work(first: int, stop: int) -> None:
            mine = sums[[part[0] for part in parts].index(first)]
            outputs = (d_spikes, d_pre, to_spikes.numpy(), to_membrane.numpy(), p.numpy(), fired, mine)
            loops.walk_backward(_array(current), kept, *parameters, panels, *numbers, first, stop, *start, *outputs)

        threads.run(work, parts)
        d_decay, d_threshold, d_gain = torch.from_numpy(sums.sum(0)).to(pre.dtype)
        d_recurrent = None
        if recurrent is not None:
            d_recurrent = events.outer(fired.reshape(-1, size), p.flatten(0, 1))
        return p.mul_(gain), to_membrane, to_spikes, d_decay, d_threshold, d_gain, d_recurrent, None, None
