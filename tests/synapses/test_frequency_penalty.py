"""The frequency penalty against plain loops over queries and keys."""

import math

import pytest
import torch

from wetware.parameters import initialize
from wetware.synapses import FrequencyPenalty
from wetware.synapses.frequency_penalty import decayed


def test_equals_loops_over_queries_and_keys():
    part = FrequencyPenalty(halving=5.0, threshold=0.3, gain=2.0, strength=0.7).build(heads=2, layer=0)
    initialize(part, 0)
    part.double()
    scores = 2 * torch.randn(2, 2, 150, 150, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first = torch.arange(150).expand(2, -1).sub(40).clamp_min(0).clone()  # a window, and a document that starts at 90
    first[1, 90:] = first[1, 90:].clamp_min(90)
    with torch.no_grad():
        out, left = part(scores, part.init_state(2), first, 0, first)
    rho = 0.5 ** (1 / 5.0)
    for b in range(2):
        for j in range(150):
            trace = 0.0
            for t in range(j, 150):
                if first[b, t] > j:
                    assert out[b, 0, t, j] == -math.inf
                    continue
                trace *= rho
                d = float(scores[b, 0, t, j])
                assert math.isclose(out[b, 0, t, j], d - 0.7 * math.log1p(2.0 * trace), rel_tol=1e-5, abs_tol=1e-5)
                trace += 1 / (1 + math.exp(0.3 - d))
            expected = 0.0 if first[b, -1] > j else rho * trace
            assert math.isclose(left[b, 0, 0, j], expected, rel_tol=1e-5)
    assert (out[:, :, 0, 1:] == -math.inf).all()


def test_chunks_equal_the_whole():
    part = FrequencyPenalty(strength=1.0).build(heads=1, layer=0)
    initialize(part, 0)
    scores = 3 * torch.randn(1, 1, 31, 31, generator=torch.Generator().manual_seed(1))
    first = torch.zeros(1, 31, dtype=torch.long)
    whole, end = part(scores, part.init_state(1), first, 0, first)
    state = part.init_state(1)
    for a, b in ((0, 3), (3, 4), (4, 20), (20, 31)):
        out, state = part(scores[:, :, a:b, :b], state, first[:, a:b], a, first[:, a:b])
        torch.testing.assert_close(out, whole[:, :, a:b, :b], atol=1e-5, rtol=0)
    torch.testing.assert_close(state, end, atol=1e-5, rtol=0)


@pytest.mark.parametrize("queries", [1, 5, 32, 33, 64, 75])
@pytest.mark.parametrize("decay", [1e-3, 0.6, 0.9999])
def test_blocks_equal_one_step_after_another(queries, decay):
    """Values and gradients, at the edges of blocks and of the range of a decay."""
    generator = torch.Generator().manual_seed(queries)
    influx = torch.rand(2, 3, queries, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    carried = torch.rand(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    rate = torch.tensor([decay, 0.5, decay], dtype=torch.float64, requires_grad=True)
    trace, rows = carried, []
    for step in influx.unbind(2):
        rows.append(trace)
        trace = rate[:, None] * (trace + step)
    expected, found = torch.stack(rows, 2), decayed(influx, rate[:, None, None], carried)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    weights = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    inputs = (influx, carried, rate)
    mine, other = (torch.autograd.grad((each * weights).sum(), inputs, allow_unused=True) for each in (found, expected))
    for a, b in zip(mine, other, strict=True):
        b = torch.zeros_like(a) if b is None else b
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)
