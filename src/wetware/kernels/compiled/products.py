"""Matrix products and event sums on packed weights, by the tiles of :mod:`vectors`."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional

from wetware.kernels.compiled import vectors
from wetware.kernels.compiled.jit import jit

PANEL, LANES = vectors.PANEL, vectors.LANES


def rounded(size: int, step: int = PANEL) -> int:
    """``size`` up to a whole number of steps."""
    return -(-size // step) * step


def packed(weights: Tensor) -> np.ndarray:
    """``weights`` [K, N] as panels [ceil(N / 32), ceil4(K), 32], zeros in what is added: what :func:`multiply` walks through
    from one end to the other."""
    inputs, outputs = weights.shape
    padded = functional.pad(weights, (0, rounded(outputs) - outputs, 0, rounded(inputs, 4) - inputs))
    return padded.view(padded.shape[0], -1, PANEL).transpose(0, 1).contiguous().numpy()


_tile8, _tile4, _tile2, _tile1 = (vectors.tile(rows) for rows in (8, 4, 2, 1))
_add16, _add4, _add1 = (vectors.add_rows(width) for width in (16, 4, 1))
_dot, _number = vectors.dot(), vectors.as_float()
TALL = vectors.ROWS


@jit
def multiply(x, rows, panels, out):
    """``out[:rows] = x[:rows, :K] @ panels``: x [>= rows, >= K], panels from :func:`packed`, out [>= rows, N]."""
    multiply_part(x, rows, panels, out, 0, panels.shape[0])


@jit
def multiply_part(x, rows, panels, out, low, high):
    """Panels ``low`` to ``high`` of :func:`multiply` alone, that is columns 32 low to 32 high."""
    wide, width, count = x.shape[1], out.shape[1], panels.shape[1]
    for index in range(low, high):
        panel, column, row = index * count * PANEL, index * PANEL, 0
        while TALL >= 8 and rows - row >= 8:
            _tile8(panels, panel, count, x, row * wide, wide, out, row * width + column, width)
            row += 8
        while TALL >= 4 and rows - row >= 4:
            _tile4(panels, panel, count, x, row * wide, wide, out, row * width + column, width)
            row += 4
        while rows - row >= 2:
            _tile2(panels, panel, count, x, row * wide, wide, out, row * width + column, width)
            row += 2
        if row < rows:
            _tile1(panels, panel, count, x, row * wide, wide, out, row * width + column, width)


@jit
def add_events(ids, first, count, table, out):
    """``out[:N] = sum of table[id, :N] over ids[first : first + count]``; table [R, N].

    Sums start at zero: adding onto a membrane instead costs a digit of accuracy. ``ids`` must be readable
    :data:`vectors.AHEAD` places beyond. What remains beyond the last whole vector is summed by a plain loop.
    """
    add_events_part(ids, first, count, table, out, 0, table.shape[1])


@jit
def add_events_part(ids, first, count, table, out, column, columns):
    """Columns ``column`` to ``columns`` of :func:`add_events` alone."""
    stride = table.shape[1]
    while columns - column >= 16 * LANES:
        _add16(ids, first, count, table, column, stride, out, column)
        column += 16 * LANES
    while columns - column >= 4 * LANES:
        _add4(ids, first, count, table, column, stride, out, column)
        column += 4 * LANES
    while columns - column >= LANES:
        _add1(ids, first, count, table, column, stride, out, column)
        column += LANES
    for rest in range(column, columns):
        total = np.float32(0.0)
        for event in range(first, first + count):
            total += _number(table[ids[event], rest])
        out[rest] = total


@jit
def dot(a, b):
    """``sum_k a[k] b[k]`` in float32, sixteen sums side by side."""
    whole, total = a.shape[0] - a.shape[0] % LANES, np.float32(0.0)
    if whole:
        total = _dot(a, b, whole)
    for k in range(whole, a.shape[0]):
        total += a[k] * b[k]
    return total
