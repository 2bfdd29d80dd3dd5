"""The loops of the compiled backend of ``rms_norm``."""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot


@jit
def factor_of(row, floor):
    """``1 / sqrt(mean(x^2) + floor)``."""
    return np.float32(1.0) / np.sqrt(dot(row, row) / np.float32(row.shape[0]) + floor)


@jit
def forward(x, made, factors, floor, first, last):
    """Rows ``first`` to ``last`` of x [R, N]; ``factors`` [R] are kept for the way back."""
    for index in range(first, last):
        row, out, factor = x[index], made[index], factor_of(x[index], floor)
        factors[index] = factor
        for n in range(row.shape[0]):
            out[n] = row[n] * factor


@jit
def backward(x, factors, above, made, first, last):
    """``dx = f dy - x f^3 mean(x dy)`` with f the factor of the row."""
    for index in range(first, last):
        row, up, out, factor = x[index], above[index], made[index], factors[index]
        pull = factor * factor * factor * dot(row, up) / np.float32(row.shape[0])
        for n in range(row.shape[0]):
            out[n] = factor * up[n] - pull * row[n]
