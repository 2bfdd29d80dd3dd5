"""Rotary position embedding (Su et al., RoFormer, 2021)."""

from __future__ import annotations

import torch
from torch import Tensor


def rotate(x: Tensor, positions: Tensor, base: float) -> Tensor:
    """Turn the pairs ``(x_i, x_{i + D/2})`` of ``x`` [B, T, H, D] by the angle ``position * base^(-2 i / D)``.

    Angles are made in float64, so that token 1,000,000 is turned as exactly as token 1 (in float32 on Apple's GPUs, which have
    nothing wider).
    """
    half = x.shape[-1] // 2
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    exponents = torch.arange(half, device=x.device, dtype=wide) / half
    angles = positions.to(wide)[:, :, None, None] * base**-exponents
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)
