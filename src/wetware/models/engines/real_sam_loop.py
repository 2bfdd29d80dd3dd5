"""The token loop of Real Sam, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled import dice
from wetware.kernels.compiled.events import SPARE, list_events
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import sigmoid
from wetware.kernels.compiled.products import PANEL, add_events_part, dot, multiply_part
from wetware.kernels.compiled.readout import BLOCK, Screen, coarse, decide
from wetware.kernels.compiled.team import wait

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
    """What B sequences leave behind: membrane [L, B, N]; the neurons that fired last, ids [C, L, B, N + SPARE] and counts
    [C, L, B], in one copy for each thread that works on the same sequence; and the features [B, E] that logits are made of."""

    membrane: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    features: np.ndarray


class Room(NamedTuple):
    """Where tokens are computed. Of each sequence: x, current, gate, scores, highest, bounds, and drive and fired of one layer.
    Of each sequence or thread, whichever are more: u, low, codes, lost, features."""

    x: np.ndarray
    current: np.ndarray
    gate: np.ndarray
    drive: np.ndarray
    fired: np.ndarray
    scores: np.ndarray
    highest: np.ndarray
    bounds: np.ndarray
    u: np.ndarray
    low: np.ndarray
    codes: np.ndarray
    lost: np.ndarray
    features: np.ndarray
    tokens: np.ndarray
    counter: np.ndarray


class Team(NamedTuple):
    """Who computes what. A thread alone has sequences ``first`` to ``last`` (part 0 of 1); ``parts`` threads that share one
    sequence have columns of it."""

    first: int
    last: int
    part: int
    parts: int


def make_room(weights: Weights, screen: Screen, batch: int, parts: int) -> Room:
    """Zeros, which what is only there to fill up a vector stays."""
    size, width = weights.encoded.shape[1], screen.table.shape[1]
    panels = [weights.dense[0], weights.readout, *([weights.up[0]] if len(weights.up) else [])]
    wide = max(x.shape[0] * x.shape[2] for x in panels)
    own, blocks = max(batch, parts), len(screen.rest)
    low = weights.up.shape[2] if len(weights.up) else 1
    return Room(
        *(np.zeros((batch, n), np.float32) for n in (size, wide, wide, size)),
        np.zeros((batch, size), np.uint8),
        np.zeros((batch, blocks, BLOCK), np.float32),
        np.zeros((batch, blocks)),
        np.zeros((batch, blocks)),
        np.zeros((own, weights.dense.shape[2]), np.float32),
        np.zeros((own, low), np.float32),
        np.zeros((own, screen.codes.shape[1] * 4), np.uint8),
        np.zeros((own, width), np.float32),
        np.zeros((own, width), np.float32),
        np.zeros(batch, np.int64),
        np.zeros(1, np.int64),
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
def share(count, team):
    """Which of ``count`` panels (or blocks) a thread of the team computes."""
    return count * team.part // team.parts, count * (team.part + 1) // team.parts


@jit
def advance(weights, memory, room, team, turn):
    """Take ``room.tokens`` into the team's sequences. Gives the next turn to wait (:func:`wait`)."""
    first, rows, size = team.first, team.last - team.first, weights.encoded.shape[1]
    own = first + team.part
    low, high = share(weights.dense.shape[1], team)
    left, right = min(size, PANEL * low), min(size, PANEL * high)
    for b in range(first, team.last):
        room.x[b, left:right] = weights.encoded[room.tokens[b], left:right]
        if room.tokens[b] == weights.boundary:
            memory.membrane[:, b, left:right] = 0.0
            memory.counts[team.part, :, b] = 0
    turn = wait(room.counter, turn, team.parts)
    for layer in range(weights.dense.shape[0]):
        for row in range(rows):
            normalise(room.x[first + row], size, room.u[own + row])
        multiply_part(
            room.u[own : own + rows], rows, weights.dense[layer], room.current[first : first + rows], low, high
        )
        for b in range(first, team.last):
            ids, drive = memory.ids[team.part, layer, b], room.drive[b]
            if weights.recurrent.shape[0] > 0:
                count = memory.counts[team.part, layer, b]
                add_events_part(ids, 0, count, weights.recurrent[layer], drive, left, right)
            fire(
                room.current[b, left:right],
                weights.dense_scale[layer, left:right],
                drive[left:right],
                weights.recurrent_scale[layer, left:right],
                weights.decay[layer, left:right],
                weights.threshold[layer, left:right],
                weights.gain[layer, left:right],
                weights.bound,
                memory.membrane[layer, b, left:right],
                room.fired[b, left:right],
            )
        turn = wait(room.counter, turn, team.parts)
        open_gate(weights, room, layer, first, own, rows, low, high)
        for b in range(first, team.last):
            ids, drive = memory.ids[team.part, layer, b], room.drive[b]
            count = list_events(room.fired[b], ids)
            memory.counts[team.part, layer, b] = count
            add_events_part(ids, 0, count, weights.out[layer], drive, left, right)
            gated = weights.up.shape[0] > 0
            enter(
                room.x[b, left:right],
                drive[left:right],
                weights.out_scale[layer, left:right],
                room.gate[b, left:right],
                weights.up_scale[layer if gated else 0, left:right],
                weights.gate[layer, left:right],
                not gated,
            )
            drive[left:right] = 0.0
        turn = wait(room.counter, turn, team.parts)
    return read_out(weights, memory, room, team, turn)


@jit
def open_gate(weights, room, layer, first, own, rows, low, high):
    """The logits of the gates of the columns in panels ``low`` to ``high``, before their bias."""
    if weights.up.shape[0] == 0:
        return
    size = weights.encoded.shape[1]
    scale = weights.dense_scale[layer]
    for row in range(rows):
        now, inner = room.current[first + row], room.low[own + row]
        for k in range(min(inner.shape[0], scale.shape[0] - size)):  # the current may be wider than this product
            inner[k] = now[size + k] * scale[size + k]
    last = min(high, weights.up.shape[1])
    multiply_part(room.low[own : own + rows], rows, weights.up[layer], room.gate[first : first + rows], low, last)


@jit
def read_out(weights, memory, room, team, turn):
    """The features that logits are made of, from the stream."""
    first, rows, size = team.first, team.last - team.first, weights.encoded.shape[1]
    own, width = first + team.part, memory.features.shape[1]
    for row in range(rows):
        normalise(room.x[first + row], size, room.u[own + row])
    low, high = share(weights.readout.shape[0], team)
    multiply_part(room.u[own : own + rows], rows, weights.readout, room.current[first : first + rows], low, high)
    turn = wait(room.counter, turn, team.parts)
    for row in range(rows):
        now, features = room.current[first + row], room.features[own + row]
        for e in range(width):
            features[e] = now[e] * weights.readout_scale[e]
        normalise(features, width, features)
        for e in range(width):
            features[e] *= weights.logit_scale
        if team.part == 0:
            memory.features[first + row, :] = features
    return wait(room.counter, turn, team.parts)


@jit
def read(weights, memory, room, tokens, first, last, part, parts):
    """Take ``tokens`` [B, T] of sequences ``first`` to ``last`` in."""
    team, turn = Team(first, last, part, parts), 1
    for t in range(tokens.shape[1]):
        room.tokens[first:last] = tokens[first:last, t]
        turn = advance(weights, memory, room, team, turn)


@jit
def write(
    weights,
    memory,
    room,
    screen,
    seen,
    penalty,
    temperature,
    top_k,
    top_p,
    seed,
    draw,
    stop,
    written,
    first,
    last,
    part,
    parts,
):
    """Choose tokens of sequences ``first`` to ``last`` and take each in, until ``written`` [B, count] is full, or one sequence
    alone has chosen ``stop``; gives how many."""
    team, turn = Team(first, last, part, parts), 1
    low, high = share(screen.rest.shape[0], team)
    for step in range(written.shape[1]):
        for b in range(first, last):
            # what a thread keeps of the features for itself, so that none reads what another writes
            own = b + part
            room.features[own, :] = memory.features[b]
            contest = (room.scores[b], room.highest[b], room.bounds[b])
            coarse(screen, room.features[own], room.codes[own], room.lost[own], seen[b], penalty, *contest, low, high)
        turn = wait(room.counter, turn, parts)
        if part == 0:
            for b in range(first, last):
                key = dice.key(seed, draw + np.uint64(step), np.uint64(b))
                options = (penalty, temperature, top_k, top_p, key)
                contest = (room.scores[b], room.highest[b], room.bounds[b])
                token = decide(screen, room.features[b], seen[b], *options, *contest)
                room.tokens[b] = written[b, step] = token
                seen[b, token] = True
        turn = wait(room.counter, turn, parts)
        turn = advance(weights, memory, room, team, turn)
        if written.shape[0] == 1 and written[0, step] == stop:
            return step + 1
    return written.shape[1]


def empty_memory(layers: int, batch: int, size: int, width: int, parts: int) -> Memory:
    """The memory of sequences that have read nothing."""
    return Memory(
        np.zeros((layers, batch, size), np.float32),
        np.zeros((parts, layers, batch, size + SPARE), np.int32),
        np.zeros((parts, layers, batch), np.int64),
        np.zeros((batch, width), np.float32),
    )
