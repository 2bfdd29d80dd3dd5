"""Directions: vectors without their length."""

from __future__ import annotations

from torch import Tensor

from wetware.kernels import rms_norm

TINY = 1e-24  # mean square of what is taken for nothing


def unit(x: Tensor) -> Tensor:
    """``x`` [..., D] at length 1; 0 stays 0. By the op ``rms_norm``, in two passes where PyTorch's own takes five."""
    return rms_norm(x, TINY) * x.shape[-1] ** -0.5
