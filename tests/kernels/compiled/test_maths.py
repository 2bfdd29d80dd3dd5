"""Functions of one number, against numpy or torch in float64."""

from __future__ import annotations

import numpy as np
import torch

from wetware.kernels.compiled import maths

POINTS = np.unique(np.concatenate([np.linspace(-87.0, 88.0, 5001), np.linspace(-1.0, 1.0, 2001)]).astype(np.float32))


def test_exp():
    """Within 2e-7 of itself, as its docstring says; 1 at 0."""
    made = np.array([maths.exp(x) for x in POINTS], np.float64)
    exact = np.exp(POINTS.astype(np.float64))
    assert (np.abs(made - exact) <= 2e-7 * exact).all()
    assert maths.exp(np.float32(0.0)) == 1.0


def test_exp_beyond_its_ends():
    for x, end in ((-87.5, -87.0), (-1e30, -87.0), (-np.inf, -87.0), (88.5, 88.0), (1e30, 88.0), (np.inf, 88.0)):
        assert maths.exp(np.float32(x)) == maths.exp(np.float32(end))


def test_exp_within():
    """As ``exp``, on its shorter range; 1 at 0."""
    points = POINTS[abs(POINTS) <= 80.0]
    made = np.array([maths.exp_within(x) for x in points], np.float64)
    exact = np.exp(points.astype(np.float64))
    assert (np.abs(made - exact) <= 2e-7 * exact).all()
    assert maths.exp_within(np.float32(0.0)) == 1.0


def test_sigmoid():
    """Relative to itself on both sides, as far as float32 has normal numbers."""
    made = np.array([maths.sigmoid(x) for x in POINTS], np.float64)
    exact = 1.0 / (1.0 + np.exp(-POINTS.astype(np.float64)))
    assert (np.abs(made - exact) <= 4e-7 * exact).all()
    assert maths.sigmoid(np.float32(0.0)) == 0.5
    assert maths.sigmoid(np.float32(1e6)) == 1.0 and 0.0 <= maths.sigmoid(np.float32(-1e6)) < 1e-37


def test_tanh():
    """Relative to itself, however small; odd; 1 at the end."""
    small = np.float32(10.0) ** np.arange(-30, 0, dtype=np.float32)
    points = np.concatenate([POINTS, small, -small])
    made = np.array([maths.tanh(x) for x in points], np.float64)
    exact = np.tanh(points.astype(np.float64))
    assert (np.abs(made - exact) <= 2e-7 * np.abs(exact)).all()
    assert maths.tanh(np.float32(0.0)) == 0.0
    assert maths.tanh(np.float32(np.inf)) == 1.0 and maths.tanh(np.float32(-np.inf)) == -1.0


def test_log():
    """Within 1e-7 of itself or 1e-7, whichever is more; 0 at 1."""
    points = np.exp(np.linspace(-80.0, 80.0, 4001)).astype(np.float32)
    points = np.concatenate([points, np.linspace(0.5, 2.0, 2001).astype(np.float32)])
    made, exact = np.array([maths.log(x) for x in points], np.float64), np.log(points.astype(np.float64))
    assert (np.abs(made - exact) <= 1e-7 * np.maximum(1.0, np.abs(exact))).all()
    assert maths.log(np.float32(1.0)) == 0.0


def test_erfinv():
    """Within 1e-6 of itself, at the numbers that draws are made of; odd."""
    u = (np.concatenate([np.arange(2000), np.arange(0, 2**23, 4001), 2**23 - 1 - np.arange(2000)]) + 0.5) / 2.0**23
    points = (2.0 * u - 1.0).astype(np.float32)
    made = np.array([maths.erfinv(x) for x in points], np.float64)
    exact = torch.erfinv(torch.from_numpy(points).double()).numpy()
    assert (np.abs(made - exact) <= 1e-6 * np.abs(exact)).all()
    assert (maths.erfinv(-points[10]), maths.erfinv(np.float32(0.0))) == (-maths.erfinv(points[10]), 0.0)
