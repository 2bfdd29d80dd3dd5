"""A token through synaptic experts, compiled: what the formulas give."""

import pytest
import torch

from wetware.layers import RabSnareRouting, SynapticExperts
from wetware.layers.synaptic_experts import ask
from wetware.parameters import initialize

WIDTH, BATCH = 12, 3
CONFIGS = {
    "one of three": {},
    "two of three": {"top_k": 2},
    "more than there are": {"top_k": 5},
    "never tired": {"fatigue": None},
    "another router": {"routing": RabSnareRouting()},
}


@pytest.mark.parametrize("given", CONFIGS.values(), ids=CONFIGS)
@torch.inference_mode()
def test_equals_the_formulas(given):
    layer = SynapticExperts(**{"experts": 3, "most": 5, "hidden": 7} | given).build(width=WIDTH, depth=2)
    initialize(layer, 0)
    layer.gate.fill_(0.5)
    layer.log_share[1] = -0.7
    mine = theirs = layer.init_state(BATCH)
    for step in range(8):
        x = torch.randn(BATCH, 1, WIDTH, generator=torch.Generator().manual_seed(step))
        keep = torch.tensor([[step > 0], [step not in (0, 5)], [step > 0]])
        with ask.using("numba"):
            answered = layer(x, mine, keep)
        with ask.using("reference"):
            expected = layer(x, theirs, keep)
        mine, theirs = answered.state, expected.state
        assert expected.hidden.abs().max() > 0
        torch.testing.assert_close(answered.hidden, expected.hidden, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-5)
