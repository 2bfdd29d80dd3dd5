"""The loops of the compiled backend of ``lateral_inhibition``: row by row, a row in the nearest cache."""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit

_0, _1 = np.float32(0.0), np.float32(1.0)


@jit
def neighbours(row, padded, out, window):
    """``out_j`` = the sum of ``row`` over the others within ``window``; padded [K + 2 window] has zeros at both ends."""
    keys = len(row)
    inside = padded[window : window + keys]
    for j in range(keys):
        inside[j] = row[j]
        out[j] = _0
    for offset in range(1, window + 1):
        left, right = padded[window - offset : window - offset + keys], padded[window + offset : window + offset + keys]
        for j in range(keys):
            out[j] += left[j] + right[j]


@jit
def forward(shares, strength, queries, window, out, first, last):
    """Rows ``first`` to ``last`` of shares and out [B * H * Q, K]; strength [H]."""
    keys, heads = shares.shape[1], len(strength)
    padded, others = np.zeros(keys + 2 * window, np.float32), np.empty(keys, np.float32)
    for row in range(first, last):
        given, made = shares[row], out[row]
        scale = strength[row // queries % heads] / np.float32(2 * window)
        neighbours(given, padded, others, window)
        total = _0
        for j in range(keys):
            made[j] = given[j] * (_1 - scale * others[j])
        for j in range(keys):
            total += made[j]
        total = _1 / total
        for j in range(keys):
            made[j] *= total


@jit
def backward(shares, strength, queries, window, out, above, to_shares, to_strength, first, last):
    """As :func:`forward`, from the gradient ``above`` of out; to_strength is one number a row."""
    keys, heads = shares.shape[1], len(strength)
    padded, others = np.zeros(keys + 2 * window, np.float32), np.empty(keys, np.float32)
    lowered, pushed = np.empty(keys, np.float32), np.empty(keys, np.float32)
    for row in range(first, last):
        given, made, upward, target = shares[row], out[row], above[row], to_shares[row]
        scale = strength[row // queries % heads] / np.float32(2 * window)
        neighbours(given, padded, others, window)
        total, along, slope = _0, _0, _0
        for j in range(keys):
            total += given[j] * (_1 - scale * others[j])
        for j in range(keys):
            along += upward[j] * made[j]
        total = _1 / total
        for j in range(keys):
            lowered[j] = (upward[j] - along) * total
            pushed[j] = lowered[j] * given[j]
        for j in range(keys):
            slope += pushed[j] * others[j]
            lowered[j] *= _1 - scale * others[j]
        to_strength[row] = -slope / np.float32(2 * window)
        neighbours(pushed, padded, others, window)
        for j in range(keys):
            target[j] = lowered[j] - scale * others[j]
