"""The formula of ``kuramoto_scan`` in plain PyTorch: what every faster backend must agree with."""

from __future__ import annotations

import torch
from torch import Tensor


def reference(
    drive: Tensor,
    state: Tensor,
    start: Tensor,
    rotation: Tensor,
    left: Tensor,
    right: Tensor,
    coupling: Tensor,
    keep: Tensor | None = None,
    *,
    step: float,
) -> Tensor:
    """One step of G Kuramoto oscillators on the sphere in n dimensions for each token. For oscillator g::

        y_g  = c_g + (left right^T x)_g + coupling * mean over all oscillators of x
        x_g <- normalise(x_g + step * (Omega_g x_g + y_g - <y_g, x_g> x_g))

    Kuramoto, 1975 (there n = 2); on a sphere, with a drive c: Miyato et al., AKOrN, 2024 (arXiv 2410.13821). The direction of
    the step is tangential, so that the length before normalising is at least 1. Oscillators come last: they are many, n is
    small.

    Args:
        drive: c, [B, T, n, G].
        state: x before the first token, unit vectors, [B, n, G].
        start: [n, G], the x of a sequence that has read nothing.
        rotation: Omega, [n, n, G], antisymmetric for each oscillator, in radians a token at step 1.
        left, right: [n * G, R], the coupling of pairs, of rank R.
        coupling: [1], K of the mean field.
        keep: [B, T] of 0 and 1; 0 starts afresh at ``start`` before that token (a document boundary).
        step: gamma, the length of a step.

    Returns:
        x after each token, [B, T, n, G]; the last is the state.
    """
    x, states = state, []
    for t, now in enumerate(drive.unbind(1)):
        if keep is not None:
            x = torch.where(keep[:, t, None, None] == 0, start, x)
        pull = (x.flatten(1) @ right @ left.T).view_as(x)
        y = now + pull + coupling * x.mean(-1, keepdim=True)
        turned = (rotation * x[:, None]).sum(2)
        moved = x + step * (turned + y - (y * x).sum(1, keepdim=True) * x)
        x = moved / moved.norm(dim=1, keepdim=True)
        states.append(x)
    return torch.stack(states, 1)
