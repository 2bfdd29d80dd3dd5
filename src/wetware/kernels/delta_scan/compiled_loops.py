"""The loops of the compiled backend of ``delta_scan``, for float32 and float64 alike.

All walk over pairs ``first`` to ``stop`` of a sequence and a head, pair n being sequence n // H and head n % H. ``share`` is g,
the share of A that is kept. What a token writes into A is put off until the next token reads, so that one pass does both. Loops
over few arrays each: numba makes vectors of those whose arrays it can tell apart, which are not many.
"""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit, summed
from wetware.kernels.compiled.sweeps import meet, meet_and_ask
from wetware.kernels.compiled.vectors import LANES


@summed
def dot(a, b):
    """``a . b``, of any type and length (that of ``compiled.products`` is for float32)."""
    total = a[0] * 0
    for n in range(a.shape[0]):
        total += a[n] * b[n]
    return total


@jit
def lanes(size):
    """``size`` up to a multiple of the lanes of a vector."""
    return -(-size // LANES) * LANES


@jit
def walk_forward(query, key, value, state, share, erase, write, keep, out, written, last, first, stop):
    """To ``out`` y, to ``written`` ``u_t = write_t v_t - erase_t g_t A_{t-1}^T k_t``, both [B, T, H, D], and to ``last`` A."""
    steps, heads, size = query.shape[1:]
    width, kind = value.shape[3], key.dtype
    memory, nothing = np.zeros((size, lanes(width)), kind), np.zeros(size, kind)
    line, read, found = np.zeros(lanes(width), kind), np.zeros(lanes(width), kind), np.zeros(lanes(width), kind)
    for n in range(first, stop):
        b, h = n // heads, n % heads
        memory[:, :width] = state[b, h]
        line[:] = 0
        gain, under = keep[b, 0], nothing
        for t in range(steps):
            meet(memory, gain, (under, query[b, t, h], key[b, t, h]), (line, read, found))
            new, said, given, g = written[b, t, h], out[b, t, h], value[b, t, h], share[b, t, h]
            wrote, lost = write[b, t, h], erase[b, t, h] * g
            kept = keep[b, t + 1] if t + 1 < steps else keep[b, t] * 0 + 1
            for j in range(width):
                said[j] = read[j]
            for j in range(width):
                new[j] = wrote * given[j] - lost * found[j]
            for j in range(width):
                line[j] = kept * new[j]
            gain, under = kept * g, key[b, t, h]
        for i in range(size):
            for j in range(width):
                last[b, h, i, j] = gain * memory[i, j] + under[i] * line[j]


@jit
def walk_back(
    query, key, value, share, erase, write, keep, written, above, above_last,
    to_written, to_key, to_value, to_state, to_write, first, stop,
):  # fmt: skip
    """With dA, the gradient of A, from the gradients ``above`` of y and ``above_last`` of the last A::

    du_t = dA_t^T k_t                                       to_written, and from it to_value and to_write
    dk_t = dA_t u_t                                         the first part of to_key
    dA_{t-1} = g_t dA_t - erase_t g_t k_t du_t^T + q_t dy_t^T
    """
    steps, heads, size = query.shape[1:]
    width, kind = value.shape[3], key.dtype
    memory, nothing = np.zeros((size, lanes(width)), kind), np.zeros(size, kind)
    erased, read = np.zeros(lanes(width), kind), np.zeros(lanes(width), kind)
    found, line = np.zeros(lanes(width), kind), np.zeros(lanes(width), kind)
    for n in range(first, stop):
        b, h = n // heads, n % heads
        memory[:, :width] = above_last[b, h]
        erased[:], read[:] = 0, 0
        gain, under, asked = share[b, 0, h] * 0 + 1, nothing, nothing
        for t in range(steps - 1, -1, -1):
            now, g, wrote = written[b, t, h], share[b, t, h], write[b, t, h]
            for j in range(width):
                line[j] = now[j]
            meet_and_ask(memory, gain, (under, asked, key[b, t, h]), (erased, read, found, line), to_key[b, t, h])
            new, to_given, up = to_written[b, t, h], to_value[b, t, h], above[b, t, h]
            lost = -keep[b, t] * erase[b, t, h] * g
            for j in range(width):
                new[j] = found[j]
            for j in range(width):
                to_given[j] = wrote * found[j]
            for j in range(width):
                erased[j] = lost * found[j]
            for j in range(width):
                read[j] = keep[b, t] * up[j]
            to_write[b, t, h] = dot(new, value[b, t, h])
            gain, under, asked = keep[b, t] * g, key[b, t, h], query[b, t, h]
        for i in range(size):
            for j in range(width):
                to_state[b, h, i, j] = gain * memory[i, j] + under[i] * erased[j] + asked[i] * read[j]


@jit
def walk_again(key, state, share, erase, keep, written, above, to_written, to_query, to_key, to_erase, first, stop):
    """With A, its transpose here: ``dq_t = A_{t-1} dy_t``; ``dk_t`` loses ``erase_t g_t A_{t-1} du_t``; ``derase_t`` is
    ``-g_t k_t . A_{t-1} du_t``."""
    steps, heads, size = key.shape[1:]
    width, kind = written.shape[3], key.dtype
    memory, nothing = np.zeros((width, lanes(size)), kind), np.zeros(width, kind)
    line, read, found = np.zeros(lanes(size), kind), np.zeros(lanes(size), kind), np.zeros(lanes(size), kind)
    for n in range(first, stop):
        b, h = n // heads, n % heads
        for j in range(width):
            for i in range(size):
                memory[j, i] = state[b, h, i, j]
        line[:] = 0
        gain, under = keep[b, 0], nothing
        for t in range(steps):
            meet(memory, gain, (under, above[b, t, h], to_written[b, t, h]), (line, read, found))
            to_asked, to_under, now, g = to_query[b, t, h], to_key[b, t, h], key[b, t, h], share[b, t, h]
            kept, lost = keep[b, min(t + 1, steps - 1)], erase[b, t, h] * g
            for i in range(size):
                to_asked[i] = read[i]
            for i in range(size):
                to_under[i] -= lost * found[i]
            for i in range(size):
                line[i] = kept * now[i]
            to_erase[b, t, h] = -g * dot(now, found)
            gain, under = kept * g, written[b, t, h]


@jit
def weigh(erase, keep, out, written, last, above, above_last, to_written, to_decay, to_erase, first, stop):
    """``d log g_t = <dA_t, g_t A_{t-1}> - erase_t g_t du_t . A_{t-1}^T k_t``, from inner products known of each token."""
    steps, heads = erase.shape[1:]
    for n in range(first, stop):
        b, h = n // heads, n % heads
        total = 0.0
        for i in range(last.shape[2]):
            total += dot(above_last[b, h, i], last[b, h, i])
        for t in range(steps - 1, -1, -1):
            total += erase[b, t, h] * to_erase[b, t, h] - dot(to_written[b, t, h], written[b, t, h])
            to_decay[b, t, h] = total
            total += dot(above[b, t, h], out[b, t, h])
            if keep[b, t] == 0:
                total = 0.0
