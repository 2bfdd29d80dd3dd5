"""The distance barrier."""

import math

import torch

from wetware.kernels.inhibited_softmax.reference import barrier
from wetware.parameters import initialize
from wetware.synapses import DistanceBarrier


def test_falls_by_the_logarithm_of_the_distance_and_ignores_the_length():
    part = DistanceBarrier(slope=0.5).build(2)
    initialize(part, 0)
    added = barrier(part.slope, 3, 7).detach()
    assert math.isclose(added[1, 2, 0], -0.5 * math.log(7), rel_tol=1e-6)
    assert added[0, 0, 4] == added[0, 2, 6] == 0.0
    torch.testing.assert_close(barrier(part.slope, 7, 7)[:, 4:], barrier(part.slope, 3, 7))
