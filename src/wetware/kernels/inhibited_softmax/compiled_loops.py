"""The loops of the compiled backend of ``inhibited_softmax``. Innermost loops run over keys."""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled import maths
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot
from wetware.kernels.lateral_inhibition.compiled_loops import neighbours

LANES = 16


@jit
def logarithms(keys):
    """``log(1 + keys - 1 - j)`` for all j: of a query further back, what begins later."""
    out = np.empty(keys, np.float32)
    for j in range(keys):
        out[j] = np.log(np.float64(keys - j))
    return out


@jit
def largest(row):
    """Of a row, sixteen side by side."""
    best, whole = np.full(LANES, -np.inf, np.float32), row.shape[0] - row.shape[0] % LANES
    for start in range(0, whole, LANES):
        part = row[start : start + LANES]
        for n in range(LANES):
            best[n] = part[n] if part[n] > best[n] else best[n]
    most = best.max()
    for n in range(whole, row.shape[0]):
        most = max(most, row[n])
    return most


@jit
def forward(scores, first, slope, strength, shares, made, factors, share_of_one, reach, begin, end):
    """(Sequence, head) ``begin`` to ``end`` of scores, shares, made [B * H, Q, K]; factors [B * H, Q], one over the sum of each
    row after inhibition. slope, strength: [H], or empty; without strength ``made`` is ``shares``."""
    queries, keys = scores.shape[1:]
    heads, before = scores.shape[0] // first.shape[0], keys - queries
    logs, ones = logarithms(keys), np.ones(keys, np.float32)
    padded, scales = np.zeros(keys + 2 * reach, np.float32), np.empty(keys, np.float32)
    for group in range(begin, end):
        head = group % heads
        for query in range(queries):
            size, low = before + query + 1, max(first[group // heads, query], 0)
            wide = size - low
            row, out = scores[group, query, low:size], shares[group, query, low:size]
            if slope.shape[0] > 0:
                fall, far = slope[head], logs[keys - wide :]
                for n in range(wide):
                    out[n] = row[n] - fall * far[n]
            else:
                for n in range(wide):
                    out[n] = row[n]
            most = largest(out)
            for n in range(wide):
                out[n] = maths.exp_within(max(out[n] - most, np.float32(-80.0)))
            factor = np.float32(1.0) / dot(out, ones[:wide])
            for n in range(wide):
                out[n] *= factor
            shares[group, query, :low], shares[group, query, size:] = np.float32(0.0), np.float32(0.0)
            if strength.shape[0] > 0:
                pull, scale, inner = strength[head] * share_of_one, scales[:wide], padded[reach : reach + wide]
                for n in range(wide):
                    inner[n] = out[n]
                padded[reach + wide : 2 * reach + wide] = np.float32(0.0)
                neighbours(padded, reach, scale)
                for n in range(wide):
                    scale[n] = np.float32(1.0) - pull * scale[n]
                factor = np.float32(1.0) / dot(out, scale)
                factors[group, query] = factor
                last = made[group, query, low:size]
                for n in range(wide):
                    last[n] = out[n] * scale[n] * factor
                made[group, query, :low], made[group, query, size:] = np.float32(0.0), np.float32(0.0)


@jit
def backward(first, slope, strength, shares, made, factors, above, to_scores, sums, share_of_one, reach, begin, end):
    """Of inhibition as in the op ``lateral_inhibition``, to the gradient g of the shares a; then ``a (g - sum a g)``, and of
    the slope minus the sum of that times the logarithms. sums [2, B * H]: of slope and strength, added to."""
    queries, keys = shares.shape[1:]
    heads, before = shares.shape[0] // first.shape[0], keys - queries
    logs = logarithms(keys)
    padded, pushed = np.zeros(keys + 2 * reach, np.float32), np.zeros(keys + 2 * reach, np.float32)
    nears, backs, inners = np.empty(keys, np.float32), np.empty(keys, np.float32), np.empty(keys, np.float32)
    for group in range(begin, end):
        head = group % heads
        for query in range(queries):
            size, low = before + query + 1, max(first[group // heads, query], 0)
            wide = size - low
            row, up, out = (
                shares[group, query, low:size],
                above[group, query, low:size],
                to_scores[group, query, low:size],
            )
            if strength.shape[0] > 0:
                factor, pull = factors[group, query], strength[head] * share_of_one
                near, back, push = nears[:wide], backs[:wide], pushed[reach : reach + wide]
                inner, error = padded[reach : reach + wide], inners[:wide]
                mean = dot(up, made[group, query, low:size])
                for n in range(wide):
                    inner[n] = row[n]
                padded[reach + wide : 2 * reach + wide] = np.float32(0.0)
                pushed[reach + wide : 2 * reach + wide] = np.float32(0.0)
                neighbours(padded, reach, near)
                for n in range(wide):
                    error[n] = factor * (up[n] - mean)
                    push[n] = error[n] * row[n]
                neighbours(pushed, reach, back)
                for n in range(wide):
                    out[n] = error[n] * (np.float32(1.0) - pull * near[n]) - pull * back[n]
                sums[1, group] -= share_of_one * dot(push, near)
            else:
                for n in range(wide):
                    out[n] = up[n]
            mean = dot(row, out)
            for n in range(wide):
                out[n] = row[n] * (out[n] - mean)
            if slope.shape[0] > 0:
                sums[0, group] -= dot(out, logs[keys - wide :])
            to_scores[group, query, :low], to_scores[group, query, size:] = np.float32(0.0), np.float32(0.0)
