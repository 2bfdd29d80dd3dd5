"""The ordinary layers: linear, norm, MLP, readout."""

from __future__ import annotations

import math

import pytest
import torch

from wetware.kernels import rms_norm
from wetware.layers import MLP, Linear, TiedReadout
from wetware.parameters import NEURON, initialize, role


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawn(module, seed=0):
    initialize(module, seed)
    return module


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_linear_keeps_the_variance_times_scale_squared(scale):
    layer = drawn(Linear(300, 200, scale))
    out = layer(noise(500, 300))
    assert out.shape == (500, 200)
    assert out.std().item() == pytest.approx(scale, rel=0.02)
    torch.testing.assert_close(out[:2], noise(500, 300)[:2] @ layer.weight.T)
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


def test_rms_norm():
    x = 7.0 * noise(4, 5, 16)
    torch.testing.assert_close(rms_norm(x).square().mean(-1), torch.ones(4, 5))
    torch.testing.assert_close(rms_norm(x), x / x.square().mean(-1, keepdim=True).sqrt())
    assert torch.equal(rms_norm(torch.zeros(2, 4)), torch.zeros(2, 4))


def test_mlp():
    layer = drawn(MLP(6, 2.5, depth=8))
    x = noise(3, 6)
    assert layer.up.weight.shape == (15, 6) and layer.down.weight.shape == (6, 15)
    hidden = (x @ layer.up.weight.T).clamp_min(0.0) ** 2
    torch.testing.assert_close(layer(x), hidden @ layer.down.weight.T)
    deep, flat = drawn(MLP(64, 4.0, depth=32)), drawn(MLP(64, 4.0, depth=2))
    assert (flat.down.weight.std() / deep.down.weight.std()).item() == pytest.approx(4.0, rel=0.02)


def test_readout():
    layer, table, hidden = drawn(TiedReadout(12, 6)), noise(10, 6, seed=1), noise(2, 3, 12)
    features = rms_norm(rms_norm(hidden) @ layer.out.weight.T)
    torch.testing.assert_close(layer(hidden, table), 0.5 * features @ table.T)
    torch.testing.assert_close(layer(100.0 * hidden, table), layer(hidden, table))  # the size of a state says nothing
    assert role(layer.scale) == NEURON


def test_the_first_loss_is_that_of_a_uniform_guess():
    """For a table as the encoders draw it: deviation 0.05."""
    layer, size = drawn(TiedReadout(64, 128)), 1000
    logits = layer(noise(200, 64), 0.05 * noise(size, 128, seed=1))
    targets = torch.arange(200) % size
    loss = torch.nn.functional.cross_entropy(logits, targets).item()
    assert loss == pytest.approx(math.log(size), rel=0.01)
