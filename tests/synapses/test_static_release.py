"""Static release: a function of the score and of nothing else, as its formula says."""

import math

import torch

from wetware.parameters import initialize
from wetware.synapses import FrequencyPenalty, StaticRelease


def built(**fields):
    part = StaticRelease(**fields).build(heads=2, layer=0)
    initialize(part, 0)
    return part


@torch.no_grad()
def test_equals_the_formula_whatever_was_asked_before():
    part = built(threshold=1.0, half=0.5, floor=0.2, strength=0.7)
    scores = 2 * torch.randn(1, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    first = torch.tensor([[0, 0, 0, 0, 4, 4, 4, 4, 4]])
    out, state = part(scores, part.init_state(1), first, 0, first)
    for t in range(9):
        for j in range(9):
            if not first[0, t] <= j <= t:
                assert out[0, 0, t, j] == -math.inf
                continue
            d = float(scores[0, 1, t, j])
            influx = 1 / (1 + math.exp(1.0 - d))
            p = influx**2 / (influx**2 + 0.25)
            assert math.isclose(out[0, 1, t, j], d + 0.7 * math.log((p + 0.2) / 1.2), abs_tol=1e-5)
    assert state.shape == (1, 2, 0, 9)
    alone, _ = part(scores[:, :, 8:], state[..., :8], first[:, 8:], 8, first[:, 8:])
    torch.testing.assert_close(alone[0, :, 0], out[0, :, 8])


def test_controls_have_as_many_parameters_as_each_other():
    sizes = {
        sum(p.numel() for p in kind().build(heads=2, layer=0).parameters())
        for kind in (StaticRelease, FrequencyPenalty)
    }
    assert sizes == {8}
