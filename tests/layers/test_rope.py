"""RoPE: a rotation, which only distances can tell."""

from __future__ import annotations

import math

import pytest
import torch

from wetware.layers.rope import rotate


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def at(x, position, base=100.0):
    return rotate(x[None, None, None], torch.tensor([[position]]), base)[0, 0, 0]


def test_by_hand():
    """D = 4: pairs (0, 2) by the angle, (1, 3) by a tenth of it for base 100."""
    turned = at(torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64), 3)
    expected = [math.cos(3.0), math.cos(0.3), math.sin(3.0), math.sin(0.3)]
    torch.testing.assert_close(turned, torch.tensor(expected, dtype=torch.float64))


def test_position_zero_and_lengths():
    x = noise(2, 5, 3, 8)
    assert torch.equal(rotate(x, torch.zeros(2, 5, dtype=torch.long), 1e4), x)
    turned = rotate(x, torch.arange(5).expand(2, 5) * 17, 1e4)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    assert turned.dtype == x.dtype


@pytest.mark.parametrize("far", [0, 1000, 1_000_000])
def test_products_depend_on_the_distance_alone_however_far_along(far):
    q, k = noise(8), noise(8, seed=1)
    near = at(q, 12) @ at(k, 5)
    torch.testing.assert_close(at(q, far + 12) @ at(k, far + 5), near, atol=1e-5, rtol=0)
    assert abs(float(at(q, far + 13) @ at(k, far + 5) - near)) > 1e-3


def test_rows_and_heads():
    x, positions = noise(2, 3, 2, 4), torch.tensor([[0, 1, 2], [7, 8, 9]])
    turned = rotate(x, positions, 100.0)
    for b in range(2):
        for t in range(3):
            for h in range(2):
                torch.testing.assert_close(turned[b, t, h], at(x[b, t, h], int(positions[b, t])))
