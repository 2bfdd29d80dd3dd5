"""Compiled random numbers are those of :mod:`wetware.models.dice`, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wetware.kernels.compiled import dice
from wetware.models.dice import Dice

SEEDS = (0, 1, 12345, 2**31, 2**63 + 5, 2**64 - 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_keys(seed):
    made = Dice(seed)
    for draw in (0, 1, 2, 1000, 2**40):
        made.draws = draw
        for row in (0, 1, 8, 2**20):
            assert int(dice.key(np.uint64(seed), np.uint64(draw), np.uint64(row))) == made.key(row)


@pytest.mark.parametrize("seed", SEEDS)
def test_noise(seed):
    made = Dice(seed)
    key = np.uint64(made.key(0))
    mine = [dice.gumbel(dice.bits(key, token)) for token in range(300)]
    torch.testing.assert_close(torch.tensor([mine], dtype=torch.float64), made.noise(1, 300), atol=1e-12, rtol=1e-12)


def test_gumbel_at_its_ends():
    """Finite for all 32 bits, rising with them."""
    points = [dice.gumbel(np.uint32(bits)) for bits in (0, 1, 2**31, 2**32 - 2, 2**32 - 1)]
    assert np.isfinite(points).all() and (np.diff(points) > 0).all()
    assert abs(points[2] + np.log(np.log(2.0))) < 1e-9  # the median
    assert -3.2 < points[0] < -3.1 and 22.8 < points[-1] < 22.9
