"""The loops of synaptic experts, one token: the formulas are told where the layer is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.products import dot


class Weights(NamedTuple):
    """The layer's parameters and buffers, and the numbers of its config."""

    genes: np.ndarray
    up: np.ndarray
    down: np.ndarray
    gate: np.ndarray
    alive: np.ndarray
    log_share: np.ndarray
    tau: float
    strength: float
    top_k: int


@jit
def tire(weights, z, keep, before, after):
    """From the scores ``z`` before fatigue to those after it; fatigue goes from ``before`` to ``after``."""
    slots, most, total = z.shape[0], -np.inf, 0.0
    for e in range(slots):
        most = max(most, z[e] + weights.log_share[e])
    for e in range(slots):
        total += math.exp(z[e] + weights.log_share[e] - most)
    top = most + math.log(total)
    for e in range(slots):
        decay = math.exp(-1.0 / (weights.tau * math.exp(weights.genes[e, 0])))
        tired = keep * before[e]
        after[e] = decay * tired + (1.0 - decay) * math.exp(z[e] - top)
        z[e] -= weights.strength * math.exp(weights.genes[e, 1]) * tired


@jit
def answer(up, down, x, hidden, weight, out):
    """Adds ``weight D relu(U x)^2``."""
    for n in range(hidden.shape[0]):
        active = max(dot(up[n], x), np.float32(0.0))
        hidden[n] = weight * active * active
    for n in range(out.shape[0]):
        out[n] += dot(down[n], hidden)


@jit
def take(weights, x, scores, before, keep, after, out, first, last):
    """A token of sequences ``first`` to ``last``: x, out [B, width], scores [B, slots] of the router, fatigue [B, slots] or
    empty, keep [B, 1]."""
    slots = scores.shape[1]
    z, shares, hidden = np.empty(slots), np.empty(slots), np.empty(weights.up.shape[1], np.float32)
    alive = 0
    for e in range(slots):
        alive += weights.alive[e]
    used = min(weights.top_k, alive)
    chosen, gate = np.empty(used, np.int64), math.tanh(weights.gate[0])
    for b in range(first, last):
        for e in range(slots):
            z[e] = math.exp(weights.genes[e, 2]) * scores[b, e] if weights.alive[e] else -np.inf
        if before.shape[1] > 0:
            tire(weights, z, np.float64(keep[b, 0]), before[b], after[b])
        total, top = 0.0, -np.inf
        for place in range(used):
            best = np.argmax(z)
            chosen[place], shares[place] = best, z[best] + weights.log_share[best]
            z[best] = -np.inf
            top = max(top, shares[place])
        for place in range(used):
            shares[place] = math.exp(shares[place] - top)
            total += shares[place]
        out[b] = np.float32(0.0)
        for place in range(used):
            e = chosen[place]
            weight = np.float32(gate * shares[place] / total * math.exp(weights.genes[e, 3]))
            answer(weights.up[e], weights.down[e], x[b], hidden, weight, out[b])
