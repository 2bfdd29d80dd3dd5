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


def mix_twice(shares: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Same signature and meaning as the reference."""
    return _MixTwice.apply(shares, value)


class _Scores(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        ctx.save_for_backward(query, key)
        return _outer(query, key)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        query, key = ctx.saved_tensors
        corners = [corner.tril() for corner in _corners(gradients[0])]
        return _rows(gradients[0], corners, key), _columns(gradients[0], corners, query)


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, shares: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(shares, value)
        return _rows(shares, _corners(shares), value)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        shares, value = ctx.saved_tensors
        return _outer(gradients[0], value), _columns(shares, _corners(shares), gradients[0])


class _MixTwice(torch.autograd.Function):
    """One after the other would have two gradients of the shares to add, as large as they are."""

    @staticmethod
    def forward(ctx: Any, shares: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        corners = _corners(shares)
        once = _rows(shares, corners, value)
        ctx.save_for_backward(shares, value, once)
        return once, _rows(shares, corners, once)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        shares, value, once = ctx.saved_tensors
        corners = _corners(shares)
        to_once = gradients[0] + _columns(shares, corners, gradients[1])
        left, right = torch.cat([gradients[1], to_once], -1), torch.cat([once, value], -1)
        return _outer(left, right), _columns(shares, corners, to_once)


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


def _corners(lower: Tensor) -> list[Tensor]:
    """The blocks on the diagonal."""
    lower = lower.flatten(0, 1)
    return [lower[:, at, at] for at in _blocks(lower.shape[-1])]


def _rows(lower: Tensor, corners: list[Tensor], right: Tensor) -> Tensor:
    """``lower @ right``, [B, H, T, D], with ``corners`` for the blocks on the diagonal and 0 above them."""
    batch, heads, steps, _ = right.shape
    lower, right = lower.flatten(0, 1), right.flatten(0, 1)
    made = []
    for at, corner in zip(_blocks(steps), corners, strict=True):
        made.append(corner @ right[:, at])
        if at.start:
            made[-1].baddbmm_(lower[:, at, : at.start], right[:, : at.start])
    return torch.cat(made, 1).unflatten(0, (batch, heads))


def _columns(lower: Tensor, corners: list[Tensor], right: Tensor) -> Tensor:
    """``lower^T @ right``, [B, H, T, D], likewise."""
    batch, heads, steps, _ = right.shape
    lower, right = lower.flatten(0, 1), right.flatten(0, 1)
    made = []
    for at, corner in zip(_blocks(steps), corners, strict=True):
        made.append(corner.mT @ right[:, at])
        if at.stop < steps:
            made[-1].baddbmm_(lower[:, at.stop :, at].mT, right[:, at.stop :])
    return torch.cat(made, 1).unflatten(0, (batch, heads))
