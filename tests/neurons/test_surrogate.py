"""Surrogates: over which distance a neuron learns."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.kernels.lif_scan import surrogate
from wetware.neurons import FastSigmoid, RelativeFastSigmoid

THRESHOLDS = torch.tensor([0.25, 1.0, 3.0])


def test_widths():
    assert FastSigmoid().width(THRESHOLDS).tolist() == [1.0, 1.0, 1.0]
    assert RelativeFastSigmoid().width(THRESHOLDS).tolist() == [0.25, 1.0, 3.0]


@pytest.mark.parametrize("kind", [FastSigmoid, RelativeFastSigmoid])
def test_widths_are_cut_from_the_graph(kind):
    threshold = THRESHOLDS.clone().requires_grad_()
    assert not kind().width(threshold).requires_grad


def test_the_default_has_the_mass_of_the_step():
    u = torch.linspace(-1000, 1000, 400_001, dtype=torch.float64)
    assert float(torch.trapezoid(surrogate(u, FastSigmoid().slope), u)) == pytest.approx(1.0, abs=2e-3)


@given(st.floats(0.01, 100.0), st.floats(-1e3, 1e3), st.floats(0.05, 0.999), st.floats(0.05, 100.0))
def test_relative_width_keeps_the_jacobian_between_zero_and_the_decay(threshold, pre, decay, slope):
    """decay (1 - threshold g / width) with the reset attached: no backward step expands, at any threshold."""
    config, theta = RelativeFastSigmoid(slope=slope), torch.tensor([threshold], dtype=torch.float64)
    width = config.width(theta)
    jacobian = decay * (1.0 - theta * surrogate((pre - theta) / width, config.slope) / width)
    assert 0.0 <= float(jacobian) <= decay


def test_absolute_width_does_not():
    theta = torch.tensor([3.0])
    jacobian = 0.97 * (1.0 - theta * surrogate(torch.zeros(1), 2.0) / FastSigmoid().width(theta))
    assert float(jacobian) == pytest.approx(-1.94)
