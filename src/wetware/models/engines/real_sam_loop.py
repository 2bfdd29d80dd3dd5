"""The token loop of Real Sam, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled.events import SPARE, list_events
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import sigmoid
from wetware.kernels.compiled.products import PANEL, add_events_part, multiply_part
from wetware.kernels.compiled.readout import Screen
from wetware.kernels.compiled.team import wait
from wetware.models.engines.loop import Desk, advances, integrate, make_desk, normalise, reset, share


class Weights(NamedTuple):
    """A model of L blocks of N neurons, as the loop reads it. Matrices may be float32, bfloat16 (as uint16) or int8; scales are
    those of their outputs.

    encoded [V, N]: what drives the first block, by token.
    dense [L, P, N4, 32], dense_scale [L, 32 P]: ``fc_in`` and, from its next panel on, the first half of the gate, packed.
    late [N]: by how many tokens each input of ``fc_in`` comes late, or empty.
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
    late: np.ndarray
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
    """What B sequences leave behind: membrane [L, B, N]; underway [L, B, D, N], what was sent at the last D tokens, the oldest
    first; the neurons that fired last, ids [C, L, B, N + SPARE] and counts [C, L, B], in one copy for each thread that works on
    the same sequence; and the features [B, E] that logits are made of."""

    membrane: np.ndarray
    underway: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    features: np.ndarray


class Room(NamedTuple):
    """Where tokens are computed. Of each sequence: x, current, gate, and drive and fired of one layer. Of each sequence or
    thread, whichever are more: u, sent, low. desk: where tokens are chosen."""

    x: np.ndarray
    current: np.ndarray
    gate: np.ndarray
    drive: np.ndarray
    fired: np.ndarray
    u: np.ndarray
    sent: np.ndarray
    low: np.ndarray
    desk: Desk


def make_room(weights: Weights, screen: Screen, batch: int, parts: int) -> Room:
    """Zeros, which what is only there to fill up a vector stays."""
    size, own = weights.encoded.shape[1], max(batch, parts)
    panels = [weights.dense[0], weights.readout, *([weights.up[0]] if len(weights.up) else [])]
    wide = max(x.shape[0] * x.shape[2] for x in panels)
    low = weights.up.shape[2] if len(weights.up) else 1
    return Room(
        *(np.zeros((batch, n), np.float32) for n in (size, wide, wide, size)),
        np.zeros((batch, size), np.uint8),
        np.zeros((own, weights.dense.shape[2]), np.float32),
        np.zeros((own, weights.dense.shape[2]), np.float32),
        np.zeros((own, low), np.float32),
        make_desk(screen, batch, parts),
    )


@jit
def fire(current, current_scale, drive, drive_scale, decay, threshold, gain, bound, membrane, fired):
    """One token of one sequence: the membrane after its reset, and who fired."""
    for n in range(membrane.shape[0]):
        current[n] *= current_scale[n]
    integrate(current, drive, drive_scale, decay, gain, membrane)
    reset(drive, threshold, membrane, fired)
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
def arrive(u, underway, late, sent):
    """What of the stream ``u``, and of what is underway [D, N], reaches the neurons now."""
    for n in range(late.shape[0]):
        sent[n] = u[n] if late[n] == 0 else underway[underway.shape[0] - late[n], n]
    if late.shape[0] == 0:
        sent[:] = u


@jit
def depart(u, underway):
    """``u`` is underway from now on."""
    for before in range(underway.shape[0] - 1):
        underway[before, :] = underway[before + 1]
    if underway.shape[0] > 0:
        for n in range(underway.shape[1]):
            underway[-1, n] = u[n]


@advances(Weights)
@jit
def advance(weights, memory, room, team, turn):
    """See :func:`wetware.models.engines.loop.advance`."""
    first, rows, size = team.first, team.last - team.first, weights.encoded.shape[1]
    own = first + team.part
    low, high = share(weights.dense.shape[1], team)
    left, right, gates = min(size, PANEL * low), min(size, PANEL * high), -(-size // PANEL)
    for b in range(first, team.last):
        room.x[b, left:right] = weights.encoded[room.desk.tokens[b], left:right]
        if room.desk.tokens[b] == weights.boundary:
            memory.membrane[:, b, left:right] = 0.0
            memory.underway[:, b, :, left:right] = 0.0
            memory.counts[team.part, :, b] = 0
    turn = wait(room.desk.counter, turn, team.parts)
    for layer in range(weights.dense.shape[0]):
        for row in range(rows):
            u = room.u[own + row]
            normalise(room.x[first + row], size, u)
            arrive(u, memory.underway[layer, first + row], weights.late, room.sent[own + row])
        current = room.current[first : first + rows]
        multiply_part(room.sent[own : own + rows], rows, weights.dense[layer], current, low, min(high, gates))
        multiply_part(room.u[own : own + rows], rows, weights.dense[layer], current, max(low, gates), high)
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
        turn = wait(room.desk.counter, turn, team.parts)
        if team.part == 0:  # all have heard what was underway
            for row in range(rows):
                depart(room.u[own + row], memory.underway[layer, first + row])
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
        turn = wait(room.desk.counter, turn, team.parts)
    return read_out(weights, memory, room, team, turn)


@jit
def open_gate(weights, room, layer, first, own, rows, low, high):
    """The logits of the gates of the columns in panels ``low`` to ``high``, before their bias."""
    if weights.up.shape[0] == 0:
        return
    start, scale = PANEL * -(-weights.encoded.shape[1] // PANEL), weights.dense_scale[layer]
    for row in range(rows):
        now, inner = room.current[first + row], room.low[own + row]
        for k in range(min(inner.shape[0], scale.shape[0] - start)):  # the current may be wider than this product
            inner[k] = now[start + k] * scale[start + k]
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
    turn = wait(room.desk.counter, turn, team.parts)
    for row in range(rows):
        now, features = room.current[first + row], room.desk.features[own + row]
        for e in range(width):
            features[e] = now[e] * weights.readout_scale[e]
        normalise(features, width, features)
        for e in range(width):
            features[e] *= weights.logit_scale
        if team.part == 0:
            memory.features[first + row, :] = features
    return wait(room.desk.counter, turn, team.parts)


def empty_memory(weights: Weights, batch: int, width: int, parts: int) -> Memory:
    """The memory of sequences that have read nothing."""
    layers, size = weights.decay.shape
    longest = weights.late.max() if weights.late.size else 0
    return Memory(
        np.zeros((layers, batch, size), np.float32),
        np.zeros((layers, batch, longest, size), np.float32),
        np.zeros((parts, layers, batch, size + SPARE), np.int32),
        np.zeros((parts, layers, batch), np.int64),
        np.zeros((batch, width), np.float32),
    )
