"""The token loop of SpikeWhale, compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled.events import SPARE, list_events
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import tanh
from wetware.kernels.compiled.products import PANEL, add_events_part, multiply_part, rounded
from wetware.kernels.compiled.readout import Screen
from wetware.kernels.compiled.team import wait
from wetware.models.engines.loop import Desk, Team, advances, integrate, make_desk, normalise, reset, share


class Weights(NamedTuple):
    """A model of L layers of N neurons, as the loop reads it. Matrices may be float32, bfloat16 (as uint16) or int8; scales are
    those of their outputs.

    current [V, N]: what drives the first layer, by token, its bias with it; or empty: then it is computed.
    vectors [V, E]: of tokens. entry [P, E4, 32], entry_scale [32 P]: from these, of size 1, to the current of the first layer,
    packed, or empty where that is looked up.
    inputs [L - 1, N, N], input_scale [L - 1, N]: from the spikes of a layer to the current of the next, presynaptic neuron
    first.
    bias [L, N]: of the current.
    recurrent [L, N, N], recurrent_scale [L, N]: presynaptic neuron first, or empty.
    decay, threshold, gain: [L, N].
    readout [P, (L N)4, 32], readout_scale [32 P]: packed. leak [E]: what the readout keeps of itself, or empty.
    per_unit: on a token's vector, whose numbers then are of size 1. logit_scale: the learned scale. bound: of the membrane,
    0 for none. boundary: the token that starts a document, -1 for none.
    """

    current: np.ndarray
    vectors: np.ndarray
    entry: np.ndarray
    entry_scale: np.ndarray
    inputs: np.ndarray
    input_scale: np.ndarray
    bias: np.ndarray
    recurrent: np.ndarray
    recurrent_scale: np.ndarray
    decay: np.ndarray
    threshold: np.ndarray
    gain: np.ndarray
    readout: np.ndarray
    readout_scale: np.ndarray
    leak: np.ndarray
    per_unit: np.float32
    logit_scale: np.float32
    bound: np.float32
    boundary: int


class Memory(NamedTuple):
    """What B sequences leave behind: membrane [L, B, N]; the neurons that fired last, ids [C, L, B, N + SPARE] and counts
    [C, L, B], in one copy for each thread that works on the same sequence; readout [B, E], which its leak keeps; and the
    features [B, E] that logits are made of."""

    membrane: np.ndarray
    ids: np.ndarray
    counts: np.ndarray
    readout: np.ndarray
    features: np.ndarray


class Room(NamedTuple):
    """Where tokens are computed. Of each sequence: current of one layer; before [L, B, N], what the neurons of a layer send
    each other, and then their membranes before the reset; fired [L, B, N]; flat [B, (L N)4], tanh of the membranes of all
    layers; z. Of each sequence or thread, whichever are more: x, the token's vector. desk: where tokens are chosen."""

    current: np.ndarray
    before: np.ndarray
    fired: np.ndarray
    flat: np.ndarray
    z: np.ndarray
    x: np.ndarray
    desk: Desk


def empty_memory(weights: Weights, batch: int, width: int, parts: int) -> Memory:
    """The memory of sequences that have read nothing."""
    layers, size = weights.decay.shape
    return Memory(
        np.zeros((layers, batch, size), np.float32),
        np.zeros((parts, layers, batch, size + SPARE), np.int32),
        np.zeros((parts, layers, batch), np.int64),
        np.zeros((batch, width), np.float32),
        np.zeros((batch, width), np.float32),
    )


def make_room(weights: Weights, screen: Screen, batch: int, parts: int) -> Room:
    """Zeros, which what is only there to fill up a vector stays."""
    (layers, size), width = weights.decay.shape, weights.vectors.shape[1]
    return Room(
        np.zeros((batch, rounded(size)), np.float32),
        np.zeros((layers, batch, size), np.float32),
        np.zeros((layers, batch, size), np.uint8),
        np.zeros((batch, rounded(layers * size, 4)), np.float32),
        np.zeros((batch, rounded(width)), np.float32),
        np.zeros((max(batch, parts), rounded(width, 4)), np.float32),
        make_desk(screen, batch, parts),
    )


@jit
def enter(weights, room, team, low, high):
    """The currents of the first layer, of the columns in panels ``low`` to ``high``: looked up, or made from ``room.x``."""
    first, rows, size = team.first, team.last - team.first, weights.bias.shape[1]
    own, left, right = first + team.part, min(size, PANEL * low), min(size, PANEL * high)
    if weights.current.shape[0] > 0:
        for b in range(first, team.last):
            room.current[b, left:right] = weights.current[room.desk.tokens[b], left:right]
        return
    multiply_part(room.x[own : own + rows], rows, weights.entry, room.current[first : first + rows], low, high)
    for b in range(first, team.last):
        complete(room.current[b, left:right], weights.entry_scale[left:right], weights.bias[0, left:right])


@jit
def complete(current, scale, bias):
    for n in range(current.shape[0]):
        current[n] = current[n] * scale[n] + bias[n]


@jit
def flatten(before, bound, membrane, flat):
    """``tanh`` of the membrane before its reset, which is read; and the soft clamp of the one after."""
    for n in range(before.shape[0]):
        flat[n] = tanh(before[n])
    if bound > 0.0:
        for n in range(before.shape[0]):
            membrane[n] = bound * tanh(membrane[n] / bound)


@jit
def through_layers(weights, memory, room, team, turn):
    """A token (and, where it is not looked up, its vector in ``room.x``) through all layers, to ``room.z`` [B, E] after the
    leak. Gives the next turn to wait (:func:`wait`)."""
    part, (layers, size) = team.part, weights.bias.shape
    low, high = share((size + PANEL - 1) // PANEL, team)
    left, right = min(size, PANEL * low), min(size, PANEL * high)
    for b in range(team.first, team.last):
        if room.desk.tokens[b] == weights.boundary:
            memory.membrane[:, b, left:right] = 0.0
            memory.counts[part, :, b] = 0
    enter(weights, room, team, low, high)
    for layer in range(layers):
        for b in range(team.first, team.last):
            now, before = room.current[b], room.before[layer, b]
            if layer > 0:
                ids, count = memory.ids[part, layer - 1, b], memory.counts[part, layer - 1, b]
                add_events_part(ids, 0, count, weights.inputs[layer - 1], now, left, right)
                complete(now[left:right], weights.input_scale[layer - 1, left:right], weights.bias[layer, left:right])
            if weights.recurrent.shape[0] > 0:
                ids, count = memory.ids[part, layer, b], memory.counts[part, layer, b]
                add_events_part(ids, 0, count, weights.recurrent[layer], before, left, right)
            else:
                before[left:right] = 0.0
            membrane = memory.membrane[layer, b, left:right]
            integrate(
                now[left:right],
                before[left:right],
                weights.recurrent_scale[layer, left:right],
                weights.decay[layer, left:right],
                weights.gain[layer, left:right],
                membrane,
            )
            reset(before[left:right], weights.threshold[layer, left:right], membrane, room.fired[layer, b, left:right])
            flat = room.flat[b, layer * size + left : layer * size + right]
            flatten(before[left:right], weights.bound, membrane, flat)
        turn = wait(room.desk.counter, turn, team.parts)
        for b in range(team.first, team.last):
            memory.counts[part, layer, b] = list_events(room.fired[layer, b], memory.ids[part, layer, b])
    return gather(weights, memory, room, team, turn)


@jit
def gather(weights, memory, room, team, turn):
    """``room.z`` from the membranes of all layers, through the leak if there is one."""
    first, last, width = team.first, team.last, memory.readout.shape[1]
    low, high = share(weights.readout.shape[0], team)
    left, right = min(width, PANEL * low), min(width, PANEL * high)
    multiply_part(room.flat[first:last], last - first, weights.readout, room.z[first:last], low, high)
    for b in range(first, last):
        z, kept = room.z[b], memory.readout[b]
        for e in range(left, right):
            z[e] *= weights.readout_scale[e]
        if weights.leak.shape[0] > 0:
            if room.desk.tokens[b] == weights.boundary:
                kept[left:right] = 0.0
            for e in range(left, right):
                kept[e] = weights.leak[e] * kept[e] + (np.float32(1.0) - weights.leak[e]) * z[e]
                z[e] = kept[e]
    return wait(room.desk.counter, turn, team.parts)


@advances(Weights)
@jit
def advance(weights, memory, room, team, turn):
    """See :func:`wetware.models.engines.loop.advance`."""
    rows, own, width = team.last - team.first, team.first + team.part, weights.vectors.shape[1]
    if weights.current.shape[0] == 0:
        for row in range(rows):
            room.x[own + row, :width] = weights.vectors[room.desk.tokens[team.first + row]] * weights.per_unit
    turn = through_layers(weights, memory, room, team, turn)
    for row in range(rows):
        features = room.desk.features[own + row]
        normalise(room.z[team.first + row], width, features)  # the vector that is read
        normalise(features, width, features)  # the norm before the logits
        for e in range(width):
            features[e] *= weights.logit_scale
        if team.part == 0:
            memory.features[team.first + row, :] = features
    return wait(room.desk.counter, turn, team.parts)


@jit
def pass_layers(weights, memory, room, tokens, vectors, z, before, fired, first, last, part, parts):
    """Take ``tokens`` [B, T] of sequences ``first`` to ``last`` through the layers, driven by ``vectors`` [B, T, E] or, where
    that is empty, by their own; not to the features, for others stand between. Into z [B, T, E]; before, fired [L, B, T, N]."""
    team, turn, width = Team(first, last, part, parts), 1, weights.vectors.shape[1]
    for t in range(tokens.shape[1]):
        for b in range(first, last):
            room.desk.tokens[b] = tokens[b, t]
            if vectors.shape[1] > 0:
                room.x[b + part, :width] = vectors[b, t]
            elif weights.current.shape[0] == 0:
                room.x[b + part, :width] = weights.vectors[tokens[b, t]] * weights.per_unit
        turn = through_layers(weights, memory, room, team, turn)
        if part == 0:
            for b in range(first, last):
                z[b, t] = room.z[b, :width]
                before[:, b, t], fired[:, b, t] = room.before[:, b], room.fired[:, b]
        turn = wait(room.desk.counter, turn, parts)
