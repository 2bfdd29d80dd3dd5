"""The loops of the compiled backend of ``gated_sum``."""

from __future__ import annotations

import numpy as np

from wetware.kernels.compiled.jit import jit
from wetware.kernels.compiled.maths import sigmoid


@jit
def forward(x, logits, bias, update, made, first, last):
    """Rows ``first`` to ``last`` of [R, N]."""
    for index in range(first, last):
        left, gate, right, out = x[index], logits[index], update[index], made[index]
        for n in range(out.shape[0]):
            out[n] = left[n] + sigmoid(gate[n] + bias[n]) * right[n]


@jit
def backward(logits, bias, update, above, to_logits, to_update, sums, first, last):
    """With g the gate: ``d update = g dy``, ``d logits = g (1 - g) update dy``; ``sums`` [N] gets the latter's sum."""
    part = np.zeros(bias.shape[0], np.float32)
    for index in range(first, last):
        gate, right, up = logits[index], update[index], above[index]
        out, change = to_update[index], to_logits[index]
        for n in range(out.shape[0]):
            opened = sigmoid(gate[n] + bias[n])
            out[n] = opened * up[n]
            change[n] = opened * (np.float32(1.0) - opened) * right[n] * up[n]
        for n in range(out.shape[0]):
            part[n] += change[n]
        if (index - first) % 64 == 63 or index == last - 1:
            # float32 sums of a few terms, then float64: neither slow nor inexact
            for n in range(part.shape[0]):
                sums[n] += part[n]
                part[n] = 0.0
