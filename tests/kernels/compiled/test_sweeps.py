"""A pass over a matrix against numpy: for whole numbers, so that every sum is exact in whichever order it is made."""

from __future__ import annotations

import numpy as np
import pytest

from wetware.kernels.compiled.sweeps import meet, meet_and_ask


def numbers(*shape, seed, kind):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(kind)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("height", "width"), [(1, 16), (5, 64), (7, 80), (3, 160)])
def test_meet(height, width, kind):
    matrix, gain = numbers(height, width, seed=0, kind=kind), kind(3)
    factors = tuple(numbers(height, seed=n, kind=kind) for n in (1, 2, 3))
    rows = (numbers(width, seed=4, kind=kind), *(np.full(width, np.nan, kind) for _ in range(2)))
    expected = gain * matrix + np.outer(factors[0], rows[0])
    meet(matrix, gain, factors, rows)
    assert np.array_equal(matrix, expected)
    for factor, row in zip(factors[1:], rows[1:], strict=True):
        assert np.array_equal(row, factor @ expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("height", "width"), [(1, 16), (5, 64), (7, 80), (3, 160)])
def test_meet_and_ask(height, width, kind):
    matrix, gain = numbers(height, width, seed=0, kind=kind), kind(-2)
    factors = tuple(numbers(height, seed=n, kind=kind) for n in (1, 2, 3))
    rows = [numbers(width, seed=n, kind=kind) for n in (4, 5, 6)]
    rows.insert(2, np.full(width, np.nan, kind))
    answers = np.full(height, np.nan, kind)
    expected = gain * matrix + np.outer(factors[0], rows[0]) + np.outer(factors[1], rows[1])
    meet_and_ask(matrix, gain, factors, tuple(rows), answers)
    assert np.array_equal(matrix, expected) and np.array_equal(rows[2], factors[2] @ expected)
    assert np.array_equal(answers, expected @ rows[3])
