"""What the compiled token loops of all models share: reading, choosing and writing tokens, neurons, threads that work together.

A model brings its own ``Weights``, ``Memory`` and ``Room`` (NamedTuples of arrays) and, for its ``Weights``, what takes a
token in (:func:`advances`). Its ``Memory`` has ``features`` [B, E], of which a token's logit is the product with its row of the
table; its ``Room`` has a :class:`Desk`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from wetware.kernels.compiled import dice
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot
from wetware.kernels.compiled.readout import BLOCK, Screen, coarse, decide
from wetware.kernels.compiled.team import wait

EPSILON = np.float32(np.finfo(np.float32).eps)  # of PyTorch's rms_norm


class Desk(NamedTuple):
    """Where tokens are chosen, and threads meet. Of each sequence: scores, highest, bounds, tokens. Of each sequence or thread,
    whichever are more: codes, lost, features. counter: of the threads that share a sequence."""

    scores: np.ndarray
    highest: np.ndarray
    bounds: np.ndarray
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


def make_desk(screen: Screen, batch: int, parts: int) -> Desk:
    own, blocks, width = max(batch, parts), len(screen.rest), screen.table.shape[1]
    return Desk(
        np.zeros((batch, blocks, BLOCK), np.float32),
        np.zeros((batch, blocks)),
        np.zeros((batch, blocks)),
        np.zeros((own, screen.codes.shape[1] * 4), np.uint8),
        np.zeros((own, width), np.float32),
        np.zeros((own, width), np.float32),
        np.zeros(batch, np.int64),
        np.zeros(1, np.int64),
    )


# ------------------------------------------------------------------------------------------------------ pieces of a token


@jit
def normalise(x, size, out):
    """``x / sqrt(mean(x^2))`` over the first ``size`` numbers."""
    factor = np.float32(1.0) / np.sqrt(dot(x[:size], x[:size]) / np.float32(size) + EPSILON)
    for n in range(size):
        out[n] = x[n] * factor


@jit
def integrate(current, drive, drive_scale, decay, gain, membrane):
    """The membrane before its reset, into ``drive``, which was what the neurons send each other."""
    for n in range(membrane.shape[0]):
        drive[n] = decay[n] * membrane[n] + gain[n] * current[n] + drive[n] * drive_scale[n]


@jit
def reset(before, threshold, membrane, fired):
    """The membrane after its reset, not yet bounded, and who fired."""
    for n in range(membrane.shape[0]):
        spike = before[n] >= threshold[n]
        membrane[n] = before[n] - threshold[n] * np.float32(spike)
        fired[n] = np.uint8(spike)


@jit
def share(count, team):
    """Which of ``count`` panels (or blocks) a thread of the team computes."""
    return count * team.part // team.parts, count * (team.part + 1) // team.parts


# ------------------------------------------------------------------------------------------------------------------ tokens


def advance(weights, memory, room, team, turn):
    """Take ``room.desk.tokens`` into the team's sequences: state and features. Gives the next turn to wait (:func:`wait`). Each
    model's own, found by the type of ``weights``."""
    raise NotImplementedError(type(weights).__name__)


def advances(kind: type) -> Callable[[Any], Any]:
    """Register a compiled function as what :func:`advance` is where the weights are of this NamedTuple."""

    def register(function: Any) -> Any:
        def find(weights, memory, room, team, turn):
            if getattr(weights, "instance_class", None) is kind:
                return lambda weights, memory, room, team, turn: function(weights, memory, room, team, turn)
            return None

        overload(advance)(find)
        return function

    return register


@jit
def read(weights, memory, room, tokens, first, last, part, parts):
    """Take ``tokens`` [B, T] of sequences ``first`` to ``last`` in."""
    team, turn = Team(first, last, part, parts), 1
    for t in range(tokens.shape[1]):
        room.desk.tokens[first:last] = tokens[first:last, t]
        turn = advance(weights, memory, room, team, turn)


@jit
def choose(memory, desk, screen, seen, penalty, temperature, top_k, top_p, seed, draw, team, turn):
    """A token of each of the team's sequences, into ``desk.tokens``. Gives the next turn."""
    low, high = share(screen.rest.shape[0], team)
    for b in range(team.first, team.last):
        # what a thread keeps of the features for itself, so that none reads what another writes
        own = b + team.part
        desk.features[own, :] = memory.features[b]
        contest = (desk.scores[b], desk.highest[b], desk.bounds[b])
        coarse(screen, desk.features[own], desk.codes[own], desk.lost[own], seen[b], penalty, *contest, low, high)
    turn = wait(desk.counter, turn, team.parts)
    if team.part == 0:
        for b in range(team.first, team.last):
            key = dice.key(seed, draw, np.uint64(b))
            options = (penalty, temperature, top_k, top_p, key)
            contest = (desk.scores[b], desk.highest[b], desk.bounds[b])
            token = decide(screen, desk.features[b], seen[b], *options, *contest)
            desk.tokens[b] = token
            seen[b, token] = True
    return wait(desk.counter, turn, team.parts)


@jit
def pick(
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
    written,
    first,
    last,
    part,
    parts,
):
    """Choose a token of sequences ``first`` to ``last``, into ``written`` [B], and take none in."""
    team = Team(first, last, part, parts)
    choose(memory, room.desk, screen, seen, penalty, temperature, top_k, top_p, seed, draw, team, 1)
    if part == 0:
        written[first:last] = room.desk.tokens[first:last]


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
    team, turn, desk = Team(first, last, part, parts), 1, room.desk
    for step in range(written.shape[1]):
        now = draw + np.uint64(step)
        turn = choose(memory, desk, screen, seen, penalty, temperature, top_k, top_p, seed, now, team, turn)
        if part == 0:
            written[first:last, step] = desk.tokens[first:last]
        turn = advance(weights, memory, room, team, turn)
        if written.shape[0] == 1 and written[0, step] == stop:
            return step + 1
    return written.shape[1]
