"""Matrix products and sums over events against numpy.

All numbers are small whole ones (or eighths of them), so that every sum is exact in whichever order it is made, and bfloat16
and int8 hold them as they are: what is compared must be equal. What lies outside of a result must stay as it was.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wetware.kernels.compiled import products

STORAGES = ("float32", "bfloat16", "int8")
UNTOUCHED = np.float32(77.5)


def numbers(*shape, seed=0, high=127):
    return np.random.default_rng(seed).integers(-high, high + 1, shape)


def stored(values, storage):
    """Whole numbers as an engine keeps them, and what they then mean."""
    if storage == "int8":
        return torch.from_numpy(values.astype(np.int8)), values.astype(np.float64)
    eighths = values / 8.0
    return torch.from_numpy(eighths).to(getattr(torch, storage)), eighths


def as_array(tensor):
    return tensor.view(torch.int16).numpy().view(np.uint16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


def in_panels(tensor):
    """[K, N] in panels, by the definition."""
    inputs, outputs = tensor.shape
    padded = torch.zeros(-(-inputs // 4) * 4, -(-outputs // 32) * 32, dtype=tensor.dtype)
    padded[:inputs, :outputs] = tensor
    return torch.stack([padded[:, n : n + 32] for n in range(0, padded.shape[1], 32)])


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (4, 32), (5, 33), (7, 64), (130, 31)])
def test_packed(inputs, outputs):
    weights = torch.randn(outputs, inputs).t()  # not contiguous, as the transposed weights of a backward pass are not
    made = products.packed(weights)
    assert made.flags.c_contiguous and np.array_equal(made, in_panels(weights).numpy())


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (5, 33), (16, 32), (67, 130)])
def test_multiply(storage, inputs, outputs):
    """1 to 17 rows take every height of tile; x has rows and columns to spare, and so has the result."""
    kept, weights = stored(numbers(inputs, outputs, seed=inputs), storage)
    panels = as_array(in_panels(kept).contiguous())
    x = np.full((18, panels.shape[1] + 3), np.nan, np.float32)
    x[:, inputs : panels.shape[1]] = 3.0  # meets the zeros of the panel
    x[:, :inputs] = numbers(18, inputs, seed=1, high=9)
    whole = panels.shape[0] * 32
    for rows in range(1, 18):
        out = np.full((18, whole + 5), UNTOUCHED)
        products.multiply(x, rows, panels, out)
        assert np.array_equal(out[:rows, :outputs], x[:rows, :inputs] @ weights)
        assert (out[:rows, outputs:whole] == 0).all()
        assert (out[rows:] == UNTOUCHED).all() and (out[:, whole:] == UNTOUCHED).all()


@pytest.mark.parametrize("storage", STORAGES)
def test_add_events(storage):
    """Every width of vector and the plain loop behind them, in every storage; no event, one, many, one many times."""
    generator = np.random.default_rng(0)
    for columns in (1, 15, 16, 17, 63, 64, 65, 100, 255, 256, 257, 300, 531):
        kept, table = stored(numbers(40, columns, seed=columns), storage)
        array = as_array(kept)
        for first, count in ((0, 0), (0, 1), (3, 0), (3, 25), (7, 200)):
            ids = np.full(first + count + 16, 2**31 - 1, np.int32)  # beyond the end anything may stand
            ids[first : first + count] = generator.integers(0, 40, count)
            ids[:first] = 39
            out = np.full(columns + 20, UNTOUCHED)
            products.add_events(ids, first, count, array, out)
            assert np.array_equal(out[:columns], table[ids[first : first + count]].sum(0)), (columns, first, count)
            assert (out[columns:] == UNTOUCHED).all()


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 63, 64, 65, 80, 127, 128, 144, 207, 1000])
def test_dot(count):
    """Whole numbers below 2^24: exact. And it reads no further than it is told."""
    a, b = (numbers(count + 40, seed=seed, high=90).astype(np.float32) for seed in (1, 2))
    assert products.dot(a[:count], b[:count]) == a[:count].astype(np.float64) @ b[:count]


def test_rounded():
    assert [products.rounded(size) for size in (0, 1, 31, 32, 33)] == [0, 32, 32, 32, 64]
    assert [products.rounded(size, 4) for size in (1, 4, 5)] == [4, 4, 8]
