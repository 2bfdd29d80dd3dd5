"""The formula of ``lif_scan`` in plain PyTorch: what every faster backend must agree with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class LIFState(NamedTuple):
    """What one LIF layer leaves behind: membrane after reset and spikes of the last token, each [B, N]."""

    membrane: Tensor
    spikes: Tensor


def soft_clamp(x: Tensor, bound: float | None) -> Tensor:
    """``bound * tanh(x / bound)``: odd, slope 1 at 0. None leaves ``x`` as it is."""
    return x if bound is None else bound * torch.tanh(x / bound)


def surrogate(distance: Tensor, slope: float) -> Tensor:
    """``1 / (1 + slope |u|)^2``, the derivative that stands in for that of the step (fast sigmoid; peak 1, mass 2 / slope).

    Zenke and Ganguli, SuperSpike, 2018; Neftci, Mostafa and Zenke, 2019.
    """
    return (1.0 + slope * distance.abs()).square().reciprocal()


class _Spike(torch.autograd.Function):
    """See :func:`spike`."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, width: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(pre, threshold, width)
        ctx.slope = slope
        return (pre >= threshold).to(pre.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        pre, threshold, width = ctx.saved_tensors
        through = gradients[0] * surrogate((pre - threshold) / width, ctx.slope) / width
        return through, -through.flatten(0, -2).sum(0), None, None


def spike(pre: Tensor, threshold: Tensor, width: Tensor, slope: float) -> Tensor:
    """``1[pre >= threshold]``; going back, :func:`surrogate` of ``u = (pre - threshold) / width``, over ``width``, stands for
    its derivative by ``pre``, and minus that for the one by ``threshold``.

    pre: [..., N]. threshold, width: [N]; width is held constant.
    """
    return _Spike.apply(pre, threshold, width, slope)


def reference(
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
    """Walk a layer of leaky integrate-and-fire neurons along time.

    For each token t, element-wise over the neurons of a sequence::

        pre_t = decay * k_t * v_{t-1} + gain * current_t + (k_t * s_{t-1}) @ recurrent
        s_t   = 1[pre_t >= threshold]
        v_t   = soft_clamp(pre_t - threshold * s_t, bound)        reset by subtraction: the overshoot stays

    Args:
        current: [B, T, N], the feed-forward drive.
        state: membrane after reset and spikes of the token before, [B, N] each.
        decay: [N], fraction of the membrane kept per token, in (0, 1).
        threshold: [N], in membrane units, > 0.
        gain: [N], factor on the feed-forward current only.
        recurrent: [N, N], row = presynaptic neuron, so that what one spike causes lies together in memory.
        keep: [B, T] of 0 and 1; 0 forgets the state before that token (a document boundary).
        width: [N], units of the surrogate's argument ``u = (pre - threshold) / width``; constant in the backward pass.
        slope: steepness of the surrogate.
        reset_gradient: how much of the gradient passes through the spike of the reset, from 0 (detached) to 1.
        bound: of the soft clamp on the membrane, or None.

    Returns:
        spikes [B, T, N] of 0 and 1, membranes before reset [B, T, N], and the state after the last token.
    """
    leak = (current, state, decay, threshold, gain, recurrent, keep)
    return along_time(spike, *leak, width=width, slope=slope, reset_gradient=reset_gradient, bound=bound)


def along_time(
    output: Callable[[Tensor, Tensor, Tensor, float], Tensor],
    current: Tensor,
    state: LIFState,
    decay: Tensor,
    threshold: Tensor,
    gain: Tensor,
    recurrent: Tensor | None,
    keep: Tensor | None,
    *,
    width: Tensor,
    slope: float,
    reset_gradient: float,
    bound: float | None,
) -> tuple[Tensor, Tensor, LIFState]:
    """The walk of :func:`reference`, whatever a neuron sends: ``s = output(pre, threshold, width, slope)``."""
    membrane, spikes = state
    all_spikes, all_membranes = [], []
    for t, now in enumerate(current.unbind(1)):
        if keep is not None:
            membrane, spikes = membrane * keep[:, t, None], spikes * keep[:, t, None]
        pre = decay * membrane + gain * now
        if recurrent is not None:
            pre = pre + spikes @ recurrent
        spikes = output(pre, threshold, width, slope)
        resetting = reset_gradient * spikes + (1.0 - reset_gradient) * spikes.detach()
        membrane = soft_clamp(pre - threshold * resetting, bound)
        all_spikes.append(spikes)
        all_membranes.append(pre)
    return torch.stack(all_spikes, 1), torch.stack(all_membranes, 1), LIFState(membrane, spikes)
