"""The loops of a synaptic cleft, one query: the formulas are told where the parts are."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from wetware.kernels.compiled import maths
from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot
from wetware.kernels.lateral_inhibition.compiled_loops import forward as inhibit
from wetware.kernels.vesicle_scan.compiled_loops import LANES, walk_forward


class Weights(NamedTuple):
    """kinetics [19, H] of release; slope of distance, strength of septin and of the second hop [H]. Empty where the part is
    absent. window: of septin."""

    kinetics: np.ndarray
    slope: np.ndarray
    septin: np.ndarray
    second: np.ndarray
    window: int


def _floats_at(typing: Any, address: Any) -> Any:
    """The float32 at an address."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.int64), build


floats_at: Any = intrinsic(_floats_at)


@jit
def score(addresses, lengths, query, b, scale, out):
    """``q_h . k_jh`` over all segments [B, S, H, D]; query [B, H, D], out [H, 1, K]."""
    heads, size = query.shape[1:]
    place = 0
    for n in range(lengths.shape[0]):
        keys = carray(floats_at(addresses[n]), (query.shape[0], lengths[n], heads, size))
        for j in range(lengths[n]):
            for h in range(heads):
                out[h, 0, place + j] = scale * dot(query[b, h], keys[b, j, h])
        place += lengths[n]


@jit
def add(share, row, out):
    for n in range(out.shape[0]):
        out[n] += share * row[n]


@jit
def mix(addresses, lengths, shares, b, out):
    """Adds ``sum_j a_hj v_jh``; shares [H, 1, K], out [B, H, D]."""
    batch, heads, size = out.shape
    place = 0
    for n in range(lengths.shape[0]):
        values = carray(floats_at(addresses[n]), (batch, lengths[n], heads, size))
        for j in range(lengths[n]):
            for h in range(heads):
                add(shares[h, 0, place + j], values[b, j, h], out[b, h])
        place += lengths[n]


@jit
def soften(scores, low, out):
    """The softmax of scores [K] from ``low`` on; 0 before."""
    most, total = np.float32(-np.inf), np.float32(0.0)
    for j in range(low, scores.shape[0]):
        most = max(most, scores[j])
    out[:low] = np.float32(0.0)
    for j in range(low, scores.shape[0]):
        out[j] = maths.exp(scores[j] - most)
    for j in range(low, scores.shape[0]):
        total += out[j]
    factor = np.float32(1.0) / total
    for j in range(low, scores.shape[0]):
        out[j] *= factor


@jit
def ask(weights, key_places, value_places, lengths, query, first, before, time, after, hops, mixed, work, start, stop):
    """The last of K positions asks all, in sequences ``start`` to ``stop``.

    key_places, value_places: addresses of segments [B, S, H, D] of these lengths. query, mixed: [B, H, D]. first: [B, 1].
    before, after: what release keeps of each key. hops: [B, K, H, D], the last still to be written, or empty.
    work: [3, B, H, 1, K].
    """
    batch, heads, size = query.shape
    keys = work.shape[4]
    nothing, scale = np.float32(-np.inf), np.float32(size) ** np.float32(-0.5)
    scores, shares = work[0], work[1]
    distance = np.empty(keys, np.float32)
    if weights.slope.shape[0] > 0:
        for j in range(keys):
            distance[j] = maths.log(np.float32(keys - j))
    for b in range(start, stop):
        score(key_places, lengths, query, b, scale, scores[b])
    if weights.kinetics.shape[0] > 0:
        walk_forward(
            scores,
            before,
            weights.kinetics,
            first,
            time,
            nothing,
            shares,
            after,
            None,
            1,
            np.uint64(LANES),
            start * heads,
            stop * heads,
        )
        scores, shares = shares, scores
    for b in range(start, stop):
        low = min(max(first[b, 0], 0), keys - 1)
        for h in range(heads):
            row = scores[b, h, 0]
            if weights.slope.shape[0] > 0:
                for j in range(low, keys):
                    row[j] -= weights.slope[h] * distance[j]
            soften(row, low, shares[b, h, 0])
    if weights.septin.shape[0] > 0:
        factors, strength = np.empty((batch * heads, 1), np.float32), np.empty(heads, np.float32)
        for h in range(heads):
            strength[h] = math.tanh(weights.septin[h])
        given, made = shares.reshape(batch * heads, 1, keys), work[2].reshape(batch * heads, 1, keys)
        half, reach = np.float32(0.5) / np.float32(weights.window), min(weights.window, keys - 1)
        inhibit(given, strength, made, factors, half, reach, start * heads, stop * heads)
        shares = work[2]
    for b in range(start, stop):
        mixed[b] = np.float32(0.0)
        mix(value_places, lengths, shares[b], b, mixed)
        if weights.second.shape[0] > 0:
            hops[b, keys - 1] = mixed[b]
            for j in range(keys):
                for h in range(heads):
                    add(weights.second[h] * shares[b, h, 0, j], hops[b, j, h], mixed[b, h])
