"""Factors that undo what the leaky sum amplifies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.neurons import MeanPreserving, VariancePreserving

decays = st.floats(0.01, 0.999).map(lambda decay: torch.tensor([decay], dtype=torch.float64))


@given(decays)
def test_variance(decay):
    """sum of (factor decay^k)^2 over k = 1."""
    powers = decay ** torch.arange(20_000)
    assert float((VariancePreserving().factor(decay) * powers).square().sum()) == pytest.approx(1.0, rel=1e-6)


@given(decays)
def test_mean(decay):
    powers = decay ** torch.arange(20_000)
    assert float((MeanPreserving().factor(decay) * powers).sum()) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("kind", [VariancePreserving, MeanPreserving])
def test_finite_slope_up_to_the_ends(kind):
    decay = torch.tensor([0.0, 0.5, 1.0 - 2.0**-24, 1.0], requires_grad=True)
    factor = kind().factor(decay)
    factor.sum().backward()
    assert decay.grad.isfinite().all() and (factor[:3] > 0).all() and factor[3] < 2e-4
