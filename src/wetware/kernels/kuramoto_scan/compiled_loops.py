"""The loops of the compiled backend of ``kuramoto_scan``. Innermost loops run over oscillators, or over ranks."""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit


@jit
def add_products(vector, table, out):
    """``out[:R] = vector[:N] @ table``: table [N, R], row by row."""
    out[:] = 0.0
    for index in range(vector.shape[0]):
        factor, row = vector[index], table[index]
        for n in range(out.shape[0]):
            out[n] += factor * row[n]


@jit
def push(x, drive, rotation, right, left, coupling, rank, flat, y, along, moved, step):
    """One token of one sequence before it is normalised: writes y [n, G] (of which ``flat`` is another view), ``along`` [G] =
    <y, x>, and ``moved`` [n, G] = x + step * (Omega x + y - along x). rank [R] is used on the way; left is [R, n * G]."""
    dimension, count = x.shape
    add_products(x.reshape(dimension * count), right, rank)
    add_products(rank, left, flat)
    along[:] = 0.0
    for i in range(dimension):
        xi, yi, ci = x[i], y[i], drive[i]
        total = np.float32(0.0)
        for g in range(count):
            total += xi[g]
        field = coupling * total / np.float32(count)
        for g in range(count):
            yi[g] += ci[g] + field
            along[g] += yi[g] * xi[g]
    for i in range(dimension):
        xi, yi, out = x[i], y[i], moved[i]
        for g in range(count):
            out[g] = yi[g] - along[g] * xi[g]
        for j in range(dimension):
            turn, xj = rotation[i, j], x[j]
            for g in range(count):
                out[g] += turn[g] * xj[g]
        for g in range(count):
            out[g] = xi[g] + step * out[g]


@jit
def lengths(moved, shorter):
    """One over the length of each oscillator, [G]."""
    shorter[:] = 0.0
    for i in range(moved.shape[0]):
        row = moved[i]
        for g in range(shorter.shape[0]):
            shorter[g] += row[g] * row[g]
    for g in range(shorter.shape[0]):
        shorter[g] = np.float32(1.0) / np.sqrt(shorter[g])


@jit
def walk_forward(drive, keep, state, start, rotation, right, left, coupling, step, states, first, last):
    """Sequences ``first`` to ``last``: drive, states [B, T, n, G], keep [B, T], state [B, n, G], left [R, n * G]."""
    steps, dimension, count = drive.shape[1:]
    flat, rank = np.empty(dimension * count, np.float32), np.empty(right.shape[1], np.float32)
    y, along, shorter = flat.reshape(dimension, count), np.empty(count, np.float32), np.empty(count, np.float32)
    x = np.empty((dimension, count), np.float32)
    for b in range(first, last):
        x[:] = state[b]
        for t in range(steps):
            if keep[b, t] == 0.0:
                x[:] = start
            made = states[b, t]
            push(x, drive[b, t], rotation, right, left, coupling[0], rank, flat, y, along, made, step)
            lengths(made, shorter)
            for i in range(dimension):
                row, xi = made[i], x[i]
                for g in range(count):
                    row[g] *= shorter[g]
                    xi[g] = row[g]


@jit
def through_length(moved, shorter, above, step, inward, outward):
    """From the gradient ``above`` of ``z = moved * shorter`` [n, G]: ``outward``, that of ``moved``, and ``inward``, that of
    the direction, step times as much."""
    dimension, count = moved.shape
    along = np.zeros(count, np.float32)
    for i in range(dimension):
        row, up = moved[i], above[i]
        for g in range(count):
            along[g] += row[g] * shorter[g] * up[g]
    for i in range(dimension):
        row, up, out, push_in = moved[i], above[i], outward[i], inward[i]
        for g in range(count):
            out[g] = shorter[g] * (up[g] - along[g] * row[g] * shorter[g])
            push_in[g] = step * out[g]


@jit
def through_push(x, rotation, y, along, inward, outward, to_y, to_rotation):
    """From ``inward``, the gradient of ``w = Omega x + y - <y, x> x``: ``to_y``; adds to ``outward``, the gradient of x, all
    but what comes through y, and to ``to_rotation`` [n, n, G]."""
    dimension, count = x.shape
    pull = np.zeros(count, np.float32)
    for i in range(dimension):
        xi, win = x[i], inward[i]
        for g in range(count):
            pull[g] += win[g] * xi[g]
    for i in range(dimension):
        xi, yi, win, out, up = x[i], y[i], inward[i], outward[i], to_y[i]
        for g in range(count):
            up[g] = win[g] - pull[g] * xi[g]
            out[g] -= along[g] * win[g] + pull[g] * yi[g]
        for j in range(dimension):
            turn, into, xj, outj = rotation[i, j], to_rotation[i, j], x[j], outward[j]
            for g in range(count):
                into[g] += win[g] * xj[g]
                outj[g] += turn[g] * win[g]


@jit
def walk_backward(
    drive,
    keep,
    before,
    rotation,
    right,
    left_across,
    right_across,
    left,
    coupling,
    step,
    above,
    to_drive,
    to_state,
    to_rotation,
    to_start,
    first,
    last,
):
    """Sequences ``first`` to ``last`` from their last token to their first.

    before: [B, T, n, G], the x that each token met. left, right: [n * G, R], and ``across`` the same as [R, n * G]. above: the
    gradient of the states. Written: to_drive [B, T, n, G], to_state [B, n, G]. Added to: to_rotation [B, n, n, G] and to_start
    [B, n, G], one for each sequence: float32 sums of few terms are exact enough.
    """
    steps, dimension, count = drive.shape[1:]
    size = dimension * count
    flat, rank, back = np.empty(size, np.float32), np.empty(right.shape[1], np.float32), np.empty(size, np.float32)
    y, through_pairs = flat.reshape(dimension, count), back.reshape(dimension, count)
    along, shorter = np.empty(count, np.float32), np.empty(count, np.float32)
    moved, inward = np.empty((dimension, count), np.float32), np.empty((dimension, count), np.float32)
    carried, total = np.empty((dimension, count), np.float32), np.empty((dimension, count), np.float32)
    for b in range(first, last):
        carried[:] = 0.0
        for t in range(steps - 1, -1, -1):
            x, to_y, up = before[b, t], to_drive[b, t], above[b, t]
            push(x, drive[b, t], rotation, right, left_across, coupling[0], rank, flat, y, along, moved, step)
            lengths(moved, shorter)
            for i in range(dimension):
                row, other, mine = total[i], carried[i], up[i]
                for g in range(count):
                    row[g] = other[g] + mine[g]
            through_length(moved, shorter, total, step, inward, carried)
            through_push(x, rotation, y, along, inward, carried, to_y, to_rotation[b])
            add_products(to_y.reshape(size), left, rank)
            add_products(rank, right_across, back)
            for i in range(dimension):
                row, pairs, source = carried[i], through_pairs[i], to_y[i]
                field = np.float32(0.0)
                for g in range(count):
                    field += source[g]
                field *= coupling[0] / np.float32(count)
                for g in range(count):
                    row[g] += pairs[g] + field
            if keep[b, t] == 0.0:
                for i in range(dimension):
                    for g in range(count):
                        to_start[b, i, g] += carried[i, g]
                        carried[i, g] = 0.0
        to_state[b] = carried
