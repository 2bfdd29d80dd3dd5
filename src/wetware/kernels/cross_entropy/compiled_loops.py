"""The loops of the compiled backend of ``cross_entropy``."""

from __future__ import annotations

import math

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import exp

LANES = 64


@jit
def total_of(row, parts):
    """``(max z, sum exp(z - max z))`` of one row; ``parts`` [LANES] is where it is added up, in as many sums."""
    parts[:] = row[0]
    whole = row.shape[0] - row.shape[0] % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            parts[lane] = max(parts[lane], row[start + lane])
    highest = row[0]
    for lane in range(LANES):
        highest = max(highest, parts[lane])
    for n in range(whole, row.shape[0]):
        highest = max(highest, row[n])
    parts[:] = 0.0
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            parts[lane] += exp(row[start + lane] - highest)
    total = 0.0
    for lane in range(LANES):
        total += parts[lane]
    for n in range(whole, row.shape[0]):
        total += exp(row[n] - highest)
    return highest, total


@jit
def forward(logits, targets, totals, losses, first, last):
    """Rows ``first`` to ``last``: ``totals``, the logarithm of the sum of exponentials, and ``losses``."""
    parts = np.empty(LANES, np.float32)
    for row in range(first, last):
        highest, total = total_of(logits[row], parts)
        totals[row] = np.float64(highest) + math.log(total)
        losses[row] = (np.float64(highest) - np.float64(logits[row, targets[row]])) + math.log(total)


@jit
def backward(logits, targets, totals, weight, made, first, last):
    """Rows ``first`` to ``last`` of ``weight * (softmax(z) - 1[target])``."""
    for row in range(first, last):
        now, out, total = logits[row], made[row], totals[row]
        for n in range(now.shape[0]):
            out[n] = weight * exp(now[n] - total)
        out[targets[row]] -= weight
