"""The leaky integrator: what is left of a leaky neuron that never fires."""

from __future__ import annotations

import torch
from torch import Tensor

from wetware.kernels import lif_scan
from wetware.kernels.lif_scan import LIFState

NEVER = 1e30  # a threshold that no membrane reaches; the surrogate's tail is 0 there


def integrated(
    current: Tensor, state: Tensor, decay: Tensor, gain: Tensor, keep: Tensor | None
) -> tuple[Tensor, Tensor]:
    """``x_t = decay * k_t * x_{t-1} + gain * current_t``, for each channel by itself; all of one type, float32 at least.

    Args:
        current: [B, T, N]. state: x before the first token, [B, N]. decay: [N]. gain: [N], or [B, N]. keep: [B, T] of 0 and 1,
            k in the equation; 0 starts afresh. None: nothing does.

    Returns:
        x after each token [B, T, N], and after the last [B, N].
    """
    never = torch.full_like(decay, NEVER)
    current, gain = shared(current, gain)
    with torch.autocast(current.device.type, enabled=False):
        before = LIFState(state, torch.zeros_like(state))
        _, sums, after = lif_scan(current, before, decay, never, gain, None, keep, width=never.detach())
    return sums, after.membrane


def shared(current: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
    """``current`` [B, T, N] and a gain [N] that all sequences share, which is what a walk knows: a gain of each sequence's own,
    [B, N], is multiplied out."""
    return (current, gain) if gain.ndim == 1 else (current * gain[:, None], torch.ones_like(gain[0]))
