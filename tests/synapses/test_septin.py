"""Septin inhibition against loops."""

import math

import torch

from wetware.kernels import lateral_inhibition
from wetware.parameters import initialize
from wetware.synapses import SeptinInhibition


def test_equals_loops():
    part = SeptinInhibition(window=2, strength=0.8).build(1)
    initialize(part, 0)
    shares = torch.randn(2, 1, 3, 9, generator=torch.Generator().manual_seed(0)).softmax(-1)
    out = lateral_inhibition(shares, part.pull(), window=part.window).detach()
    for b in range(2):
        for i in range(3):
            row = shares[b, 0, i].tolist()
            left = []
            for j in range(9):
                near = [row[n] for n in range(max(j - 2, 0), min(j + 3, 9)) if n != j]
                left.append(row[j] * (1 - math.tanh(0.8) * sum(near) / 4))  # places beyond the ends count as 0
            expected = torch.tensor([each / sum(left) for each in left])
            torch.testing.assert_close(out[b, 0, i], expected, atol=1e-6, rtol=0)
