"""The loops of the compiled backend of ``lif_scan``. Plain numba but for the products and event sums they call.

All sequences of a slice walk through time side by side, so that a step that is worth a dense product makes one for all of
them. Rows of three-dimensional arrays are taken before they are looped over: indexing three dimensions at once keeps LLVM
from using vectors.
"""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.events import SPARE, list_events
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import add_events, multiply


@jit
def fire(current, membrane, drive, decay, gain, threshold, spikes, pre):
    """One token of one sequence, all [N]: writes ``pre`` and ``spikes``, and the membrane after its reset into ``membrane``."""
    for n in range(current.shape[0]):
        before = decay[n] * membrane[n] + gain[n] * current[n] + drive[n]
        fired = np.float32(before >= threshold[n])
        pre[n] = before
        spikes[n] = fired
        membrane[n] = before - threshold[n] * fired


@jit
def clamp(membrane, bound):
    """``bound * tanh(membrane / bound)``, in place."""
    for n in range(membrane.shape[0]):
        membrane[n] = bound * np.tanh(membrane[n] / bound)


@jit
def walk_forward(
    current, keep, decay, threshold, gain, table, panels, bound, switch, first, last, spikes, pre, membrane, fired
):
    """Sequences ``first`` to ``last`` from their first token to their last.

    current, spikes, pre: [B, T, N]. keep: [B, T]. table: recurrent weights [N, N] or [0, 0]. panels: the same packed.
    switch: share of firing neurons from which a step is a dense product. membrane, fired: [B, N], the state, changed in place.
    """
    rows, steps, size = last - first, current.shape[1], current.shape[2]
    recurrent = table.shape[0] > 0
    width = panels.shape[0] * panels.shape[2] if recurrent else size
    drive = np.zeros((rows, width), np.float32)
    dense = np.zeros((rows, panels.shape[1] if recurrent else 1), np.float32)
    ids = np.zeros((rows, size + SPARE), np.int32)
    counts = np.zeros(rows, np.int64)
    for t in range(steps):
        total = 0
        for row in range(rows):
            b = first + row
            if keep[b, t] == 0.0:
                membrane[b, :] = 0.0
                fired[b, :] = 0.0
            if recurrent:
                counts[row] = list_events(fired[b] if t == 0 or keep[b, t] == 0.0 else spikes[b, t - 1], ids[row])
                total += counts[row]
        if recurrent and total > switch * rows * size:
            for row in range(rows):
                dense[row, :] = 0.0
                for event in range(counts[row]):
                    dense[row, ids[row, event]] = 1.0
            multiply(dense, rows, panels, drive)
        elif recurrent:
            for row in range(rows):
                add_events(ids[row], 0, counts[row], table, drive[row])
        for row in range(rows):
            b = first + row
            fire(current[b, t], membrane[b], drive[row], decay, gain, threshold, spikes[b, t], pre[b, t])
            if bound > 0.0:
                clamp(membrane[b], bound)
    for b in range(first, last):
        fired[b, :] = spikes[b, steps - 1]


@jit
def gradient_at(pre, d_spikes, d_pre, to_spikes, to_membrane, threshold, width, slope, through, p, by_threshold):
    """One token of one sequence in reverse, all [N]: p = dL/dpre from what the later tokens and the outputs say."""
    for n in range(pre.shape[0]):
        distance = pre[n] - threshold[n]
        fired = np.float32(distance >= 0.0)
        c = to_membrane[n]
        e = d_spikes[n] + to_spikes[n] - through * threshold[n] * c
        root = np.float32(1.0) + slope * abs(distance / width[n])
        g = np.float32(1.0) / (root * root * width[n])
        p[n] = c + e * g + d_pre[n]
        by_threshold[n] -= g * e + fired * c


@jit
def clamp_slope(pre, threshold, bound, to_membrane):
    """What comes through the soft clamp of the membrane after its reset, in place."""
    for n in range(pre.shape[0]):
        after = pre[n] - threshold[n] * np.float32(pre[n] >= threshold[n])
        flat = np.tanh(after / bound)
        to_membrane[n] *= np.float32(1.0) - flat * flat


@jit
def state_before(pre, threshold, bound, membrane, fired):
    """Membrane after reset and clamp, and spikes, of the token whose membrane before reset was ``pre``."""
    for n in range(pre.shape[0]):
        spike = pre[n] >= threshold[n]
        membrane[n] = pre[n] - threshold[n] * np.float32(spike)
        fired[n] = np.uint8(spike)
    if bound > 0.0:
        clamp(membrane, bound)


@jit
def remember(spikes, fired):
    """Spikes as bytes."""
    for n in range(spikes.shape[0]):
        fired[n] = np.uint8(spikes[n] != 0.0)


@jit
def to_parameters(p, before, current, decay, kept, by_decay, by_gain, to_membrane):
    """What p says to the decay, to the gain, and to the membrane of the token before."""
    for n in range(p.shape[0]):
        by_decay[n] += p[n] * before[n]
        by_gain[n] += p[n] * current[n]
        to_membrane[n] = kept * p[n] * decay[n]


@jit
def walk_backward(
    current,
    keep,
    decay,
    threshold,
    gain,
    panels,
    width,
    slope,
    through,
    bound,
    first,
    last,
    membrane,
    spikes,
    pre,
    d_spikes,
    d_pre,
    to_spikes,
    to_membrane,
    p,
    fired,
    sums,
):
    """Sequences ``first`` to ``last`` from their last token to their first.

    panels: recurrent weights, transposed and packed, or of length 0. membrane, spikes: the state before the first token [B, N].
    d_spikes, d_pre: [B, T, N], or [1, 1, N] of zeros for none. to_spikes, to_membrane: [B, N], gradients of the final state,
    turned into those of the first. Written: p [B, T, N], dL/dpre; fired [B, T, N] (uint8), the spikes that each token
    remembers. Added to: sums [3, N] in float64, of decay, threshold and gain.
    """
    rows, steps, size = last - first, pre.shape[1], pre.shape[2]
    recurrent = panels.shape[0] > 0
    dense = np.zeros((rows, panels.shape[1] if recurrent else 1), np.float32)
    drive = np.zeros((rows, panels.shape[0] * panels.shape[2] if recurrent else 1), np.float32)
    before = np.zeros(size, np.float32)
    part = np.zeros((3, size), np.float32)
    for t in range(steps - 1, -1, -1):
        for row in range(rows):
            b = first + row
            ds = d_spikes[b, t] if d_spikes.shape == pre.shape else d_spikes[0, 0]
            dp = d_pre[b, t] if d_pre.shape == pre.shape else d_pre[0, 0]
            if bound > 0.0:
                clamp_slope(pre[b, t], threshold, bound, to_membrane[b])
            now = p[b, t]
            gradient_at(pre[b, t], ds, dp, to_spikes[b], to_membrane[b], threshold, width, slope, through, now, part[1])
            kept = keep[b, t]
            if kept == 0.0:
                before[:] = 0.0
                fired[b, t, :] = 0
            elif t == 0:
                before[:] = membrane[b]
                remember(spikes[b], fired[b, t])
            else:
                state_before(pre[b, t - 1], threshold, bound, before, fired[b, t])
            to_parameters(now, before, current[b, t], decay, kept, part[0], part[2], to_membrane[b])
            if recurrent:
                dense[row, :size] = now
        if recurrent:
            multiply(dense, rows, panels, drive)
        for row in range(rows):
            b = first + row
            if recurrent and keep[b, t] != 0.0:
                to_spikes[b, :] = drive[row, :size]
            else:
                to_spikes[b, :] = 0.0
        # float32 sums of a few hundred terms, then float64: neither slow nor inexact
        if t % 16 == 0:
            for kind in range(3):
                for n in range(size):
                    sums[kind, n] += part[kind, n]
                    part[kind, n] = 0.0
