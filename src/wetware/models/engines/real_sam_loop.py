"""The token loop of Real Sam, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled import dice
from wetware.kernels.compiled.events import SPARE, list_events
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import sigmoid
from wetware.kernels.compiled.products import add_events, dot, multiply
from wetware.kernels.compiled.readout import BLOCK, choose

EPSILON = np.float32(np.finfo(np.float32).eps)  # of PyTorch's rms_norm


class Weights(NamedTuple):
    """A model of L blocks of N neurons, as the loop reads it. Matrices may be float32, bfloat16 (as uint16) or int8; scales are
    those of their outputs.

    encoded [V, N]: what drives the first block, by token.
    dense [L, P, N4, 32], dense_scale [L, 32 P]: ``fc_in`` and the first half of the gate in one matrix, packed.
    up, up_scale: the second half of the gate, packed, or empty.
    gate [L, N]: the gate's bias (with an ``up``), or the gate itself.
    recurrent [L, N, N], recurrent_scale [L, N]: presynaptic neuron first, or empty. out, out_scale: the same of ``fc_out``.
    decay, threshold, gain: [L, N].
    readout [P, N4, 32], readout_scale [32 P]: packed. logit_scale: the learned scale.
    bound: of the membrane, 0 for none. boundary: the token that starts a document, -1 for none.
    """

    encoded: np.ndarray
    dense: np.ndarray
    dense_scale: np.ndarray
    up: np.ndarray
    up_scale: np.ndarray
    gate: np.ndarray
    recurrent: np.ndarray
    recurrent_scale: np.ndarray
    out: np.ndarray
    out_scale: np.ndarray
    decay: np.ndarray
    threshold: np.ndarray
    gain: np.ndarray
    readout: np.ndarray
    readout_scale: np.ndarray
    logit_scale: np.float32
    bound: np.float32
    boundary: int


class Memory(NamedTuple):
    """What B sequences leave behind: membrane [L, B, N]; the neurons that fired last, ids [L, B, N + SPARE], counts [L, B]; and
    the features [B, E] that logits are made of."""

    membrane: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    features: np.ndarray


class Room(NamedTuple):
    """Where R sequences of one thread are computed: x, u, current, low, gate, all [R, ...]; drive [N]; fired [N]."""

    x: np.ndarray
    u: np.ndarray
    current: np.ndarray
    low: np.ndarray
    gate: np.ndarray
    drive: np.ndarray
    fired: np.ndarray


@jit
def make_room(weights, rows):
    """Zeros, which what is only there to fill up a vector stays."""
    size = weights.encoded.shape[1]
    wide, inputs = weights.dense.shape[1] * weights.dense.shape[3], weights.dense.shape[2]
    gate_in = weights.up.shape[2] if weights.up.shape[0] > 0 else 1
    gate_out = weights.up.shape[1] * weights.up.shape[3] if weights.up.shape[0] > 0 else 1
    wide = max(wide, weights.readout.shape[0] * weights.readout.shape[2])
    return Room(
        np.zeros((rows, size), np.float32),
        np.zeros((rows, inputs), np.float32),
        np.zeros((rows, wide), np.float32),
        np.zeros((rows, gate_in), np.float32),
        np.zeros((rows, gate_out), np.float32),
        np.zeros(size, np.float32),
        np.zeros(size, np.uint8),
    )


@jit
def normalise(x, size, out):
    """``x / sqrt(mean(x^2))`` over the first ``size`` numbers."""
    factor = np.float32(1.0) / np.sqrt(dot(x[:size], x[:size]) / np.float32(size) + EPSILON)
    for n in range(size):
        out[n] = x[n] * factor


@jit
def fire(current, current_scale, drive, drive_scale, decay, threshold, gain, bound, membrane, fired):
    """One token of one sequence: the membrane after its reset, and who fired."""
    for n in range(membrane.shape[0]):
        before = decay[n] * membrane[n] + gain[n] * (current[n] * current_scale[n]) + drive[n] * drive_scale[n]
        spike = before >= threshold[n]
        membrane[n] = before - threshold[n] * np.float32(spike)
        fired[n] = np.uint8(spike)
    if bound > 0.0:
        for n in range(membrane.shape[0]):
            membrane[n] = bound * np.tanh(membrane[n] / bound)


@jit
def enter(x, drive, scale, gate, gate_scale, bias, constant):
    """``x += gate * drive``, the gate made from its logits or as it is."""
    if constant:
        for n in range(x.shape[0]):
            x[n] += bias[n] * (drive[n] * scale[n])
    else:
        for n in range(x.shape[0]):
            x[n] += sigmoid(gate[n] * gate_scale[n] + bias[n]) * (drive[n] * scale[n])


@jit
def advance(weights, memory, room, tokens, first):
    """Take ``tokens`` [R] into sequences ``first`` to ``first + R``."""
    rows, size = tokens.shape[0], weights.encoded.shape[1]
    gated = weights.up.shape[0] > 0
    rank = room.low.shape[1]
    for row in range(rows):
        room.x[row, :] = weights.encoded[tokens[row]]
        if tokens[row] == weights.boundary:
            memory.membrane[:, first + row, :] = 0.0
            memory.counts[:, first + row] = 0
    for layer in range(weights.dense.shape[0]):
        for row in range(rows):
            normalise(room.x[row], size, room.u[row])
        multiply(room.u, rows, weights.dense[layer], room.current)
        if gated:
            for row in range(rows):
                now, scale = room.current[row], weights.dense_scale[layer]
                low = room.low[row]
                for k in range(min(rank, scale.shape[0] - size)):  # the current may be wider than this product
                    low[k] = now[size + k] * scale[size + k]
            multiply(room.low, rows, weights.up[layer], room.gate)
        for row in range(rows):
            b = first + row
            ids = memory.ids[layer, b]
            if weights.recurrent.shape[0] > 0:
                add_events(ids, 0, memory.counts[layer, b], weights.recurrent[layer], room.drive)
            else:
                room.drive[:] = 0.0
            fire(
                room.current[row],
                weights.dense_scale[layer],
                room.drive,
                weights.recurrent_scale[layer],
                weights.decay[layer],
                weights.threshold[layer],
                weights.gain[layer],
                weights.bound,
                memory.membrane[layer, b],
                room.fired,
            )
            count = list_events(room.fired, ids)
            memory.counts[layer, b] = count
            add_events(ids, 0, count, weights.out[layer], room.drive)
            scale = weights.up_scale[layer if gated else 0]
            enter(
                room.x[row], room.drive, weights.out_scale[layer], room.gate[row], scale, weights.gate[layer], not gated
            )
    for row in range(rows):
        normalise(room.x[row], size, room.u[row])
    multiply(room.u, rows, weights.readout, room.current)
    width = memory.features.shape[1]
    for row in range(rows):
        now = room.current[row]
        for e in range(width):
            now[e] = now[e] * weights.readout_scale[e]
        features = memory.features[first + row]
        normalise(now, width, features)
        for e in range(width):
            features[e] *= weights.logit_scale


@jit
def read(weights, memory, tokens, first, last):
    """Take ``tokens`` [B, T] of sequences ``first`` to ``last`` in."""
    room = make_room(weights, last - first)
    for t in range(tokens.shape[1]):
        advance(weights, memory, room, tokens[first:last, t].copy(), first)


@jit
def write(weights, memory, screen, seen, penalty, temperature, top_k, top_p, seed, draw, stop, first, last, written):
    """Choose tokens of sequences ``first`` to ``last`` and take each in, until ``written`` [B, count] is full, or one sequence
    alone has chosen ``stop``; gives how many."""
    room = make_room(weights, last - first)
    blocks, width = screen.rest.shape[0], memory.features.shape[1]
    scores, highest, bounds = np.empty((blocks, BLOCK), np.float32), np.empty(blocks, np.float32), np.empty(blocks)
    codes, lost = np.empty(screen.codes.shape[1] * 4, np.uint8), np.empty(width, np.float32)
    tokens = np.empty(last - first, np.int64)
    for turn in range(written.shape[1]):
        for b in range(first, last):
            key = dice.key(seed, draw + np.uint64(turn), np.uint64(b))
            token = choose(
                screen,
                memory.features[b],
                codes,
                lost,
                seen[b],
                penalty,
                temperature,
                top_k,
                top_p,
                key,
                scores,
                highest,
                bounds,
            )
            tokens[b - first] = written[b, turn] = token
            seen[b, token] = True
        advance(weights, memory, room, tokens, first)
        if written.shape[0] == 1 and written[0, turn] == stop:
            return turn + 1
    return written.shape[1]


def empty_memory(layers: int, batch: int, size: int, width: int) -> Memory:
    """The memory of sequences that have read nothing."""
    return Memory(
        np.zeros((layers, batch, size), np.float32),
        np.zeros((layers, batch, size + SPARE), np.int32),
        np.zeros((layers, batch), np.int64),
        np.zeros((batch, width), np.float32),
    )
