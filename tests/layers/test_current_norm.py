"""Norms of currents, and a block whose currents are normed."""

import pytest
import torch

import wetware
from wetware.layers import LayerNormCurrents, RMSCurrents
from wetware.models.engines import engines
from wetware.parameters import NEURON, initialize, role

KINDS = pytest.mark.parametrize("kind", [RMSCurrents, LayerNormCurrents])


def built(kind, size=64):
    norm = kind().build(size=size)
    initialize(norm, 0)
    return norm


def currents(batch=3, steps=5, size=64):
    return 7.0 + 5.0 * torch.randn(batch, steps, size, generator=torch.Generator().manual_seed(0))


def test_formulas():
    c = currents()
    rms = built(RMSCurrents)(c)
    torch.testing.assert_close(rms, c / c.square().mean(-1, keepdim=True).sqrt())
    centred = built(LayerNormCurrents)(c)
    torch.testing.assert_close(centred.mean(-1), torch.zeros(3, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(centred.var(-1, correction=0), torch.ones(3, 5))


@KINDS
def test_it_does_not_matter_how_loud_a_token_is(kind):
    norm, c = built(kind), currents()
    louder = c * torch.tensor([0.5, 1.0, 20.0])[:, None, None]
    torch.testing.assert_close(norm(louder), norm(c), atol=1e-4, rtol=0)
    assert {role(parameter) for parameter in norm.parameters()} == {NEURON}  # no weight decay


@KINDS
def test_a_model_is_calibrated_by_its_gains_and_runs_without_the_compiled_engine(kind):
    model = wetware.with_(wetware.tiny("real_sam"), "block.currents", kind()).build()
    weight = model.blocks[0].fc_in.weight.clone()
    rates = model.calibrate(torch.arange(1, 65).reshape(4, 16), 0.2)
    assert all(abs(rate - 0.2) < 0.02 for rate in rates.values())
    assert torch.equal(model.blocks[0].fc_in.weight, weight)
    assert f"knows currents as they are, got {kind.__name__}" in engines.explain(model)
