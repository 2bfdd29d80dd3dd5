"""The loops of fast weights, one token: the formulas are told where the parts are."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot
from wetware.kernels.latch_scan.compiled_loops import walk_forward
from wetware.plasticity.calcium import FLOOR
from wetware.plasticity.half_life import LN2


class Weights(NamedTuple):
    """rows [n, H]: gate, half life and strength, then those of the parts that are there, in the order in which
    :func:`take` reads them. write, decay [H, width]: of input dependence, or empty. slow [H, D, D], or empty. traced, latched,
    growing: which parts are there. erasing: the delta rule."""

    rows: np.ndarray
    write: np.ndarray
    decay: np.ndarray
    slow: np.ndarray
    traced: bool
    latched: bool
    growing: bool
    erasing: bool


class Token(NamedTuple):
    """x [B, width], query, key and value [B, H, D], keep [B]."""

    x: np.ndarray
    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    keep: np.ndarray


class State(NamedTuple):
    """matrix [B, H, D, D], trace [B, H, D], calcium [B, H, 3], enzymes [B, 2, H], growth [B, 2 H, 2]."""

    matrix: np.ndarray
    trace: np.ndarray
    calcium: np.ndarray
    enzymes: np.ndarray
    growth: np.ndarray


@jit
def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


@jit
def length(x):
    return math.sqrt(dot(x, x))


@jit
def log_share(half_life):
    return -LN2 * math.exp(-half_life)


@jit
def means(half_life, keep, first, second, before, after):
    """The running means of two numbers, their sums going from ``before`` to ``after``: of weights, of each number (the second
    may have no place)."""
    share = log_share(half_life)
    new, kept = -math.expm1(share), math.exp(share) * keep
    after[0] = kept * before[0] + new
    after[1] = kept * before[1] + new * first
    if after.shape[0] > 2:
        after[2] = kept * before[2] + new * second
        return after[1] / after[0], after[2] / after[0]
    return after[1] / after[0], 0.0


@jit
def surprise(window, keep, signal, before, after):
    """z of calcium."""
    mean, second = means(window, keep, signal, signal * signal, before, after)
    variance = max(second - mean * mean, 0.0)
    return (signal - mean) / math.sqrt(variance + (FLOOR * mean) ** 2 + 1e-12)


@jit
def enzymes(rows, z, keep, before, after):
    """CaMKII and PP1 of each head, from calcium z [H]. rows: high, low, potentiation, depression, steepness, contrast, six
    constants. before, after: [2, H]."""
    heads = z.shape[0]
    rise, fall, made = np.empty((1, 1, heads)), np.empty((1, 1, heads)), np.empty((1, 1, 2, heads))
    for h in range(heads):
        steep = math.exp(rows[4, h])
        rise[0, 0, h] = math.exp(rows[2, h]) * sigmoid(steep * (z[h] - rows[0, h]))
        fall[0, 0, h] = math.exp(rows[3, h]) * sigmoid(steep * (rows[1, h] - z[h]))
    kept = np.full((1, 1), keep)
    walk_forward(rise, fall, before[None], rows[6:12], kept, made, 0, 1)
    after[:, :] = made[0, 0]
    return made[0, 0, 0], rows[9] + (1.0 - rows[9]) * made[0, 0, 1]


@jit
def directed(x, out):
    """``x`` at length 1, or 0."""
    factor = np.float32(1.0 / max(length(x), 1e-12))
    for n in range(x.shape[0]):
        out[n] = x[n] * factor


@jit
def scaled(x, out):
    """``x`` of unit mean square, to length 1."""
    factor = np.float32(x.shape[0] ** -0.5)
    for n in range(x.shape[0]):
        out[n] = x[n] * factor


@jit
def traced(half_life, mix, keep, before, after, key):
    """The written key, in the place of the token's; the trace goes from ``before`` to ``after``."""
    kept, share = np.float32(math.exp(log_share(half_life)) * keep), np.float32(sigmoid(mix))
    for n in range(key.shape[0]):
        after[n] = kept * before[n] + key[n]
        key[n] += share * (after[n] - key[n])
    directed(key, key)


@jit
def recall(query, key, kept, matrix, read, found):
    """A^T of the query and of the key, A being what is kept of ``matrix``."""
    read[:], found[:] = np.float32(0.0), np.float32(0.0)
    for row in range(query.shape[0]):
        line, asked, under = matrix[row], kept * query[row], kept * key[row]
        for n in range(read.shape[0]):
            read[n] += asked * line[n]
            found[n] += under * line[n]


@jit
def take(weights, token, before, after, out, first, last):
    """A token of sequences ``first`` to ``last``; out [B, H, D]."""
    rows, (heads, size) = weights.rows, out.shape[1:]
    decay, strength, calcium = np.empty(heads), np.empty(heads), np.empty(heads)
    query, key = np.empty(size, np.float32), np.empty((heads, size), np.float32)
    for b in range(first, last):
        keep, place = np.float64(token.keep[b]), 3
        for h in range(heads):
            decay[h], logit = log_share(rows[1, h]), np.float64(rows[2, h])
            if weights.write.shape[0] > 0:
                logit += dot(weights.write[h], token.x[b])
                decay[h] *= 2.0 * sigmoid(dot(weights.decay[h], token.x[b]))
            strength[h] = sigmoid(logit)
            scaled(token.key[b, h], key[h])
        writing = place + 2 if weights.traced else place
        if weights.latched:
            for h in range(heads):
                signal = length(token.value[b, h]) / math.sqrt(size)
                calcium[h] = surprise(rows[writing, h], keep, signal, before.calcium[b, h], after.calcium[b, h])
            part = rows[writing + 1 : writing + 13]
            m, p = enzymes(part, calcium, keep, before.enzymes[b], after.enzymes[b])
            for h in range(heads):
                strength[h] *= sigmoid(math.exp(part[5, h]) * (m[h] - p[h]))
                decay[h] *= 1.0 - m[h]
            writing += 13
        for h in range(heads):
            if weights.growing:
                write = strength[h] * length(token.value[b, h])
                old, new = before.growth[b], after.growth[b]
                short, _ = means(rows[writing + 1, h], keep, write, 0.0, old[h], new[h])
                long, _ = means(rows[writing + 2, h], keep, write, 0.0, old[heads + h], new[heads + h])
                more = strength[h] * math.exp(rows[writing, h]) * short / (long + 1e-12)
                strength[h] = (strength[h] + more) / (1.0 + more)
            if weights.traced:
                traced(rows[place, h], rows[place + 1, h], keep, before.trace[b, h], after.trace[b, h], key[h])
            scaled(token.query[b, h], query)
            remember(
                weights, h, query, key[h], token.value[b, h], keep, decay[h], strength[h], before, after, b, out[b, h]
            )


@jit
def remember(weights, h, query, key, value, keep, decay, strength, before, after, b, out):
    """Read with the query, then write."""
    old, new, found = before.matrix[b, h], after.matrix[b, h], np.empty(value.shape[0], np.float32)
    recall(query, key, np.float32(keep), old, out, found)
    share, written = np.float32(math.exp(decay)), np.float32(strength)
    for n in range(found.shape[0]):
        lost = share * found[n] if weights.erasing else np.float32(0.0)
        found[n] = written * (value[n] - lost)
    kept = share * np.float32(keep)
    for row in range(key.shape[0]):
        line, next_line, under = old[row], new[row], key[row]
        for n in range(found.shape[0]):
            next_line[n] = kept * line[n] + under * found[n]
    if weights.slow.shape[0] > 0 and weights.slow.shape[1] > 0:
        for row in range(query.shape[0]):
            line, asked = weights.slow[h, row], query[row]
            for n in range(out.shape[0]):
                out[n] += asked * line[n]
    gate = np.float32(math.tanh(weights.rows[0, h]))
    for n in range(out.shape[0]):
        out[n] *= gate
