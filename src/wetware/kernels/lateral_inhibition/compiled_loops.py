"""The loops of the compiled backend of ``lateral_inhibition``. Innermost loops run over keys."""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot

BLOCK = 64  # keys that are looked at together for whether there is anything
LONG = 12  # a window from which a running sum, one number at a time, is faster than shifted adds


@jit
def length_of(bits):
    """Where the zeros at the end of a row begin, to a block: a causal row has many. ``bits``: the row as integers, as only
    these may be joined in any order, and hence side by side."""
    length = bits.shape[0]
    while length > 0:
        start, found = max(0, length - BLOCK), np.int32(0)
        block = bits[start:length]
        for n in range(block.shape[0]):
            found |= block[n]
        if found != 0:
            break
        length = start
    return length


@jit
def neighbours(padded, reach, out):
    """``out[j]`` = sum of x[i] over 0 < |i - j| <= reach, x[0] at ``padded[reach]``, zeros beyond both of its ends."""
    size = out.shape[0]
    if reach >= LONG:
        total = 0.0  # in double precision: what has been added is taken away again
        for n in range(2 * reach):
            total += padded[n]
        for n in range(size):
            total += padded[n + 2 * reach]
            out[n] = total - padded[n + reach]
            total -= padded[n]
        return
    if reach == 0:
        out[:] = np.float32(0.0)
        return
    # the first two distances together, and the first written where the others are added: that saves half of a short window
    left, right = padded[reach - 1 : reach - 1 + size], padded[reach + 1 :]
    if reach == 1:
        for n in range(size):
            out[n] = left[n] + right[n]
        return
    further, beyond = padded[reach - 2 : reach - 2 + size], padded[reach + 2 :]
    for n in range(size):
        out[n] = left[n] + right[n] + (further[n] + beyond[n])
    for distance in range(3, reach + 1):
        left, right = padded[reach - distance : reach - distance + size], padded[reach + distance :]
        for n in range(size):
            out[n] += left[n] + right[n]


@jit
def forward(shares, strength, made, factors, share_of_one, reach, first, last):
    """(Sequence, head) ``first`` to ``last`` of shares, made [B * H, Q, K]; factors [B * H, Q], one over the sum of each row,
    are kept for the way back. ``share_of_one``: 1 / (2 window)."""
    queries, keys = shares.shape[1:]
    padded, scales = np.zeros(keys + 2 * reach, np.float32), np.empty(keys, np.float32)
    bits = shares.view(np.int32)
    for group in range(first, last):
        pull = strength[group % strength.shape[0]] * share_of_one
        for query in range(queries):
            size = length_of(bits[group, query])
            row, out, scale = shares[group, query, :size], made[group, query], scales[:size]
            inner = padded[reach : reach + size]
            for n in range(size):
                inner[n] = row[n]
            padded[reach + size : 2 * reach + size] = np.float32(0.0)
            neighbours(padded, reach, scale)
            for n in range(size):
                scale[n] = np.float32(1.0) - pull * scale[n]
            factor = np.float32(1.0) / dot(row, scale)
            factors[group, query] = factor
            for n in range(size):
                out[n] = row[n] * scale[n] * factor
            out[size:] = np.float32(0.0) * factor  # not a number, where the reference has that too


@jit
def backward(shares, strength, made, factors, above, to_shares, to_strength, share_of_one, reach, first, last):
    """With e the gradient of u and f = 1 / sum u: e_j = f (dy_j - sum dy y), p = e a, N the sum over neighbours and c =
    1 / (2 window): ``da = e (1 - s c N(a)) - s c N(p)``, ``ds = - c sum p N(a)``. to_strength: [B * H], added to."""
    queries, keys = shares.shape[1:]
    padded, pushed = np.zeros(keys + 2 * reach, np.float32), np.zeros(keys + 2 * reach, np.float32)
    nears, backs = np.empty(keys, np.float32), np.empty(keys, np.float32)
    bits = shares.view(np.int32)
    for group in range(first, last):
        pull = strength[group % strength.shape[0]] * share_of_one
        for query in range(queries):
            size = length_of(bits[group, query])
            wide = min(keys, size + reach)  # neighbours of a share still pull on it; further on only its own sum does
            row, up, out = shares[group, query, :wide], above[group, query], to_shares[group, query]
            factor, near, back, push = factors[group, query], nears[:wide], backs[:wide], pushed[reach : reach + wide]
            mean = dot(up[:size], made[group, query, :size])
            inner = padded[reach : reach + wide]
            for n in range(wide):
                inner[n] = row[n]
            padded[reach + wide : 2 * reach + wide] = np.float32(0.0)
            pushed[reach + wide : 2 * reach + wide] = np.float32(0.0)
            neighbours(padded, reach, near)
            for n in range(wide):
                error = factor * (up[n] - mean)
                push[n] = error * row[n]
                out[n] = error * (np.float32(1.0) - pull * near[n])
            neighbours(pushed, reach, back)
            for n in range(wide):
                out[n] -= pull * back[n]
            to_strength[group] -= share_of_one * dot(push, near)
            for n in range(wide, keys):
                out[n] = factor * (up[n] - mean)
