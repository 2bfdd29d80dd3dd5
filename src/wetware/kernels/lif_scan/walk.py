"""``lif_scan`` with PyTorch operations only and a hand-written reverse walk.

Forward writes into buffers that are made once; backward walks time once in reverse. Whatever does not depend on the next
token is taken out of both loops: what stays inside is the recurrent product and four element-wise operations. Only the
membranes before reset are kept; spikes and membranes after reset are recomputed from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wetware.kernels.lif_scan.reference import LIFState, soft_clamp, surrogate


def refuses(current: Tensor, *_: Any, **__: Any) -> str | None:
    return None if current.is_floating_point() else f"needs floating point, got {current.dtype}"


class Sending(NamedTuple):
    """What a neuron sends, of (pre, threshold, width, slope), and the derivative by pre that is used going back."""

    output: Callable[..., Tensor]  # takes ``out`` too
    derivative: Callable[..., Tensor]


def _spikes(pre: Tensor, threshold: Tensor, width: Tensor, slope: float, out: Tensor | None = None) -> Tensor:
    return torch.ge(pre, threshold, out=torch.empty_like(pre) if out is None else out)


def _surrogate(pre: Tensor, threshold: Tensor, width: Tensor, slope: float) -> Tensor:
    return surrogate((pre - threshold) / width, slope) / width


SPIKES = Sending(_spikes, _surrogate)


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
    sending: Sending = SPIKES,
) -> tuple[Tensor, Tensor, LIFState]:
    """Same signature and meaning as the reference, for neurons that send something else too."""
    constants = (sending, width, slope, reset_gradient, bound)
    outputs = _Walk.apply(current, *state, decay, threshold, gain, recurrent, keep, constants)
    spikes, membranes, membrane, last = outputs
    return spikes.transpose(0, 1), membranes.transpose(0, 1), LIFState(membrane, last)


def _resets(keep: Tensor | None, steps: int) -> list[bool]:
    """Whether any sequence forgets its state before each token: those steps alone pay for it."""
    return [False] * steps if keep is None else (keep == 0).any(0).tolist()


class _Walk(torch.autograd.Function):
    """Time-major inside: [T, B, N]."""

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
        sending, width, slope, _, bound = constants
        pre = torch.mul(current.transpose(0, 1), gain).contiguous()
        spikes = torch.empty_like(pre)
        v, s = membrane, last
        buffer = torch.empty_like(pre[0])
        for t, resets in enumerate(_resets(keep, len(pre))):
            now = pre[t]
            if keep is not None and resets:
                v, s = v * keep[:, t, None], s * keep[:, t, None]
            now.addcmul_(v, decay)
            if recurrent is not None:
                now.addmm_(s, recurrent)
            s = sending.output(now, threshold, width, slope, out=spikes[t])
            v = torch.addcmul(now, s, threshold, value=-1.0, out=buffer)
            if bound is not None:
                v.div_(bound).tanh_().mul_(bound)
        ctx.save_for_backward(current, membrane, last, decay, threshold, gain, recurrent, keep, pre)
        ctx.constants = constants
        ctx.set_materialize_grads(False)
        return spikes, pre, v.clone(), s.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        current, membrane, last, decay, threshold, gain, recurrent, keep, pre = ctx.saved_tensors
        sending, width, slope, reset_gradient, bound = ctx.constants
        d_spikes, d_pre, d_membrane, d_last = gradients
        spikes = sending.output(pre, threshold, width, slope)
        after = pre - threshold * spikes
        slopes = sending.derivative(pre, threshold, width, slope)
        clamp = None if bound is None else 1.0 - torch.tanh(after / bound).square()
        # e_t = dL/ds_t and c_t = dL/d(v_t before the clamp), filled from the last token to the first.
        e = torch.zeros_like(pre) if d_spikes is None else d_spikes.clone(memory_format=torch.contiguous_format)
        c, p = torch.zeros_like(pre), torch.empty_like(pre)
        if d_last is not None:
            e[-1] += d_last
        if d_membrane is not None:
            c[-1] = d_membrane
        resets = _resets(keep, len(pre))
        to_membrane = to_spikes = None
        for t in range(len(pre) - 1, -1, -1):
            if clamp is not None:
                c[t] *= clamp[t]
            if reset_gradient:
                e[t].addcmul_(c[t], threshold, value=-reset_gradient)
            torch.addcmul(c[t], e[t], slopes[t], out=p[t])
            if d_pre is not None:
                p[t] += d_pre[t]
            to_membrane = torch.mul(p[t], decay, out=c[t - 1] if t else None)
            to_spikes = None if recurrent is None else p[t] @ recurrent.T
            if resets[t]:
                to_membrane *= keep[:, t, None]
                to_spikes = None if to_spikes is None else to_spikes * keep[:, t, None]
            if t and to_spikes is not None:
                e[t - 1] += to_spikes
        before = torch.cat([membrane[None], soft_clamp(after[:-1], bound)])
        fired = torch.cat([last[None], spikes[:-1]])
        if keep is not None:
            before, fired = before * keep.T[..., None], fired * keep.T[..., None]
        d_recurrent = None if recurrent is None else fired.flatten(0, 1).T @ p.flatten(0, 1)
        return (
            (p * gain).transpose(0, 1),
            to_membrane,
            torch.zeros_like(last) if to_spikes is None else to_spikes,
            (p * before).sum((0, 1)),
            -(slopes * e + spikes * c).sum((0, 1)),
            (p * current.transpose(0, 1)).sum((0, 1)),
            d_recurrent,
            None,
            None,
        )
