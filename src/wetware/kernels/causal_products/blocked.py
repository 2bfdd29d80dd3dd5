"""The causal products in blocks of rows: what lies above the diagonal is computed within a block only, five eighths of the
whole at four blocks. Each is the other's derivative, with a third one, ``columns``, for what is multiplied from the left. A
product is added to one of its own layout only: into a part of a larger matrix PyTorch adds one matrix at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ROWS = 64
HOW = f"blocks of {ROWS} rows"


def refuses(left: Tensor, right: Tensor) -> str | None:
    """Why these arguments need the reference, or None."""
    if not left.is_cpu:
        return f"is for the CPU, got {left.device.type}"
    if torch.is_autocast_enabled("cpu"):
        return "autocast would have products in another type"
    return None


def scores(query: Tensor, key: Tensor) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Scores.apply(query, key)


def mix(shares: Tensor, value: Tensor) -> Tensor:
    """Same signature and meaning as the reference."""
    return _Mix.apply(shares, value)


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        ctx.save_for_backward(query, key)
        return _outer(query, key)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        query, key = ctx.saved_tensors
        return _rows(gradients[0], key), _columns(gradients[0], query)


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shares: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(shares, value)
        return _rows(shares, value)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        shares, value = ctx.saved_tensors
        return _outer(gradients[0], value), _columns(shares, gradients[0])


def _blocks(steps: int) -> list[slice]:
    return [slice(start, min(start + ROWS, steps)) for start in range(0, steps, ROWS)]


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """``tril(left @ right^T)``, [B, H, T, T]."""
    batch, heads, steps, _ = left.shape
    left, right = left.flatten(0, 1), right.flatten(0, 1)
    out = left.new_zeros(batch * heads, steps, steps)
    for at in _blocks(steps):
        torch.bmm(left[:, at], right[:, : at.stop].mT, out=out[:, at, : at.stop])
        out[:, at, at].tril_()
    return out.unflatten(0, (batch, heads))


def _rows(lower: Tensor, right: Tensor) -> Tensor:
    """``tril(lower) @ right``, [B, H, T, D]."""
    batch, heads, steps, _ = right.shape
    lower, right = lower.flatten(0, 1), right.flatten(0, 1)
    made = []
    for at in _blocks(steps):
        made.append(lower[:, at, at].tril() @ right[:, at])
        if at.start:
            made[-1].baddbmm_(lower[:, at, : at.start], right[:, : at.start])
    return torch.cat(made, 1).unflatten(0, (batch, heads))


def _columns(lower: Tensor, right: Tensor) -> Tensor:
    """``tril(lower)^T @ right``, [B, H, T, D]."""
    batch, heads, steps, _ = right.shape
    lower, right = lower.flatten(0, 1), right.flatten(0, 1)
    made = []
    for at in _blocks(steps):
        made.append(lower[:, at, at].tril().mT @ right[:, at])
        if at.stop < steps:
            made[-1].baddbmm_(lower[:, at.stop :, at].mT, right[:, at.stop :])
    return torch.cat(made, 1).unflatten(0, (batch, heads))
