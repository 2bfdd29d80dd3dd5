"""Choosing a token without computing what cannot be chosen.

Every logit is first computed in int8, with a proven bound on the error. Which tokens could still win is then known for certain;
their logits are computed exactly, in float32, and decide. The result is that of computing all logits in float32, whichever
token is asked for: the largest, or a random one (:mod:`wetware.models.dice`), with or without top-k.

**The bound.** Row i of the table is ``e = s q + r`` (q int8, r what rounding left), the features are ``h = t p + d`` (p int8).
Then ``|e.h - s t q.p| = |r.h + s q.d| <= |r| |h| + |s q| |d|`` by Cauchy and Schwarz, with the norms as they are. The norms
of a block of 64 rows are replaced by their largest. Added is what float32 summation itself may be off: ``E 2^-24 |e| |h|``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled import dice, vectors
from wetware.kernels.compiled.events import SPARE, list_events
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import exp
from wetware.kernels.compiled.products import dot

BLOCK = 64
_dot_block = vectors.dot_int8_block()


class Screen(NamedTuple):
    """A table [V, E] of float32, ready to be screened.

    table: as it is. codes: int8 [blocks, E4 / 4, 64, 4], four numbers of each of 64 rows together. scale: [blocks, 64], of each
    row. shift: [blocks, 64], 128 times the sum of a row's codes (features are shifted by 128: the processor multiplies unsigned
    by signed). rest, size: [blocks], largest norms of what rounding left, and of what it made.
    """

    table: np.ndarray
    codes: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    rest: np.ndarray
    size: np.ndarray


def screen(table: np.ndarray) -> Screen:
    """Quantise ``table`` [V, E] by rows."""
    rows, width = table.shape
    blocks, quads = -(-rows // BLOCK), -(-width // 4)
    padded = np.zeros((blocks * BLOCK, quads * 4))
    padded[:rows, :width] = table
    scale = (np.abs(padded).max(1) / 127.0).astype(np.float32)
    scale[scale == 0.0] = 1.0  # of a row of zeros, or of what is as good as that in float32
    codes = np.rint(padded / scale[:, None]).clip(-127, 127)
    made = codes * scale[:, None].astype(np.float64)
    rest, size = (np.linalg.norm(x, axis=1).reshape(blocks, BLOCK).max(1) for x in (padded - made, made))
    laid = codes.astype(np.int8).reshape(blocks, BLOCK, quads, 4).transpose(0, 2, 1, 3)
    shift = (128 * codes.sum(1)).astype(np.int32).reshape(blocks, BLOCK)
    return Screen(
        np.ascontiguousarray(table, np.float32),
        np.ascontiguousarray(laid),
        scale.reshape(blocks, BLOCK),
        shift,
        rest,
        size,
    )


@jit
def coarse(screen, features, codes, lost, seen, penalty, scores, highest, bounds, low, high):
    """The logits of blocks ``low`` to ``high`` in int8 into ``scores`` [blocks, 64], the largest of each block into
    ``highest``, the bounds on the errors of each block into ``bounds``. ``codes``, ``lost``: room for [E4] bytes and [E]."""
    width, rows = features.shape[0], screen.table.shape[0]
    largest = np.float32(0.0)
    for e in range(width):
        largest = max(largest, abs(features[e]))
    step = np.float32(max(largest, np.float32(1e-30)) / np.float32(127.0))
    codes[width:] = 128
    for e in range(width):
        code = np.int32(features[e] / step + np.float32(128.5))
        codes[e] = np.uint8(code)
        lost[e] = features[e] - np.float32(code - 128) * step
    # the norms in float32: their own rounding, a few millionths, is in the 1.0001 below
    norm, off = math.sqrt(dot(features, features)), math.sqrt(dot(lost, lost))
    slope = max(penalty, 1.0 / penalty)
    summed = np.zeros(BLOCK, np.int32)
    for block in range(low, high):
        _dot_block(screen.codes, block * screen.codes.shape[1] * 4 * BLOCK, screen.codes.shape[1], codes, summed)
        bound = screen.rest[block] * norm + screen.size[block] * off
        bound = 1.0001 * bound + (width + 8) * 6e-8 * (screen.rest[block] + screen.size[block]) * norm
        bounds[block] = slope * bound
        now, scale, shift = scores[block], screen.scale[block], screen.shift[block]
        for row in range(BLOCK):
            now[row] = np.float32(summed[row] - shift[row]) * scale[row] * np.float32(step)
        there = min(BLOCK, rows - block * BLOCK)
        if penalty != 1.0:
            for row in range(there):
                if seen[block * BLOCK + row]:
                    now[row] = now[row] / penalty if now[row] > 0 else now[row] * penalty
        best = now[0]
        for row in range(1, there):
            best = max(best, now[row])
        highest[block] = best


@jit
def exact(screen, features, token, seen, penalty):
    """One logit in float32."""
    total = dot(screen.table[token], features)
    if penalty != 1.0 and seen[token]:
        total = total / penalty if total > 0 else total * penalty
    return np.float32(total)


@jit
def _score(screen, features, token, random, seen, penalty, temperature):
    """What the token with the largest of these wins by."""
    value = np.float64(exact(screen, features, token, seen, penalty))
    return value / temperature + dice.gumbel(random) if temperature > 0.0 else value


@jit
def _winner(screen, features, seen, penalty, temperature, key, scores, highest, bounds):
    """The token with the largest logit (temperature 0), or with the largest ``logit / temperature + noise``.

    Noise of at least n means ``-log u <= exp(-n)``, and ``1 - u <= -log u``. So a token can win over the best known only if its
    ``1 - u`` is below ``exp(upper bound of its logit / temperature - best)``: one comparison of random bits with an
    exponential that is made for many at once.
    """
    rows, blocks = screen.table.shape[0], highest.shape[0]
    # the likeliest first: the better the best known, the fewer others need a look
    first = np.argmax(highest)
    chosen = first * BLOCK + np.argmax(scores[first, : min(BLOCK, rows - first * BLOCK)])
    best = _score(screen, features, chosen, dice.bits(key, chosen), seen, penalty, temperature)
    inverse = np.float32(1.0 / temperature if temperature > 0.0 else 1.0)
    random, chance, able = np.zeros(BLOCK, np.uint32), np.zeros(BLOCK, np.float32), np.zeros(BLOCK, np.uint8)
    for block in range(blocks):
        start, now = block * BLOCK, scores[block]
        room = (highest[block] + bounds[block]) * inverse - best
        if temperature == 0.0:
            if room < 0.0:
                continue
            for row in range(BLOCK):
                able[row] = np.uint8(now[row] + bounds[block] >= best)
        else:
            shift = np.float32(bounds[block] * inverse - best + 1e-4)  # more than what float32 rounds off here
            count = 0
            for row in range(BLOCK):
                random[row] = dice.bits(key, start + row)
            for row in range(BLOCK):
                chance[row] = exp(now[row] * inverse + shift)
            for row in range(BLOCK):
                rest = np.float32(4294967295.0) - np.float32(random[row])
                able[row] = np.uint8(rest <= chance[row] * np.float32(4294967296.0) + np.float32(512.0))
            for row in range(BLOCK):
                count += np.int64(able[row])
            if count == 0:
                continue
        for row in range(min(BLOCK, rows - start)):
            if able[row]:
                value = _score(screen, features, start + row, random[row], seen, penalty, temperature)
                if value > best or (value == best and start + row < chosen):
                    best, chosen = value, start + row
    return chosen


@jit
def _largest(values, count, k):
    """The ``k``-th largest of the first ``count`` values."""
    return np.partition(values[:count], count - k)[count - k]


@jit
def _among(screen, features, seen, penalty, temperature, top_k, top_p, key, scores, highest, bounds):
    """The same, among the ``top_k`` largest logits only, and of these the smallest set that holds ``top_p``.

    A logit that is no number is below nothing: it stays, so that there is always some token to choose.
    """
    rows, blocks = screen.table.shape[0], highest.shape[0]
    count, least = 0, -np.inf
    if top_k <= 4 * blocks:
        # of every sixteen tokens the largest: the k-th of these is no larger than the k-th of all
        some = np.empty((blocks, 4))
        for block in range(blocks):
            now, there = scores[block], min(BLOCK, rows - block * BLOCK)
            for part in range(4):
                best = -np.inf
                for row in range(16 * part, min(16 * part + 16, there)):
                    best = max(best, now[row])
                some[block, part] = best - bounds[block]
        least = _largest(some.ravel(), 4 * blocks, top_k)
    tokens, lows, highs = np.empty(rows, np.int64), np.empty(rows), np.empty(rows)
    able = np.empty(BLOCK, np.uint8)
    places = np.empty(BLOCK + SPARE, np.int32)
    for block in range(blocks):
        if highest[block] + bounds[block] < least:
            continue
        now, enough = scores[block], np.float32(least - bounds[block] - 1e-6 * abs(least))
        for row in range(BLOCK):
            able[row] = np.uint8(not (now[row] < enough))
        for index in range(list_events(able[: min(BLOCK, rows - block * BLOCK)], places)):
            row = places[index]
            tokens[count] = block * BLOCK + row
            lows[count], highs[count] = now[row] - bounds[block], now[row] + bounds[block]
            count += 1
    least = _largest(lows, count, top_k)
    kept, logits = 0, np.empty(count)
    for index in range(count):
        if not (highs[index] < least):
            tokens[kept] = tokens[index]
            logits[kept] = exact(screen, features, tokens[index], seen, penalty)
            kept += 1
    least = _largest(logits, kept, top_k)
    count = 0
    for index in range(kept):
        if not (logits[index] < least):
            tokens[count], logits[count] = tokens[index], logits[index]
            count += 1
    order = np.argsort(-logits[:count], kind="mergesort")
    total, share, best, chosen = 0.0, 0.0, -np.inf, tokens[order[0]]
    top = logits[order[0]]
    for index in range(count):
        total += math.exp((logits[index] - top) / temperature)
    for place in range(count):
        index = order[place]
        if share > top_p:
            break
        share += math.exp((logits[index] - top) / temperature) / total
        value = logits[index] / temperature + dice.gumbel(dice.bits(key, tokens[index]))
        if value > best:
            best, chosen = value, tokens[index]
    return chosen


@jit
def choose(screen, features, codes, lost, seen, penalty, temperature, top_k, top_p, key, scores, highest, bounds):
    """A token. ``top_k`` 0: all; ``top_p`` then must be 1."""
    coarse(screen, features, codes, lost, seen, penalty, scores, highest, bounds, 0, highest.shape[0])
    return decide(screen, features, seen, penalty, temperature, top_k, top_p, key, scores, highest, bounds)


@jit
def decide(screen, features, seen, penalty, temperature, top_k, top_p, key, scores, highest, bounds):
    """:func:`choose`, after :func:`coarse` of all blocks."""
    if top_k > 0 and top_k < screen.table.shape[0] and temperature > 0.0:
        return _among(screen, features, seen, penalty, temperature, top_k, top_p, key, scores, highest, bounds)
    return _winner(screen, features, seen, penalty, temperature, key, scores, highest, bounds)
