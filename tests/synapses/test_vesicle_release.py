"""Vesicle release: neutral at rest, tires and recovers, loses no vesicle. The op has tests of its own."""

import math

import pytest
import torch

from wetware.parameters import initialize
from wetware.synapses import VesicleRelease
from wetware.synapses.vesicle_release import FULL, RING, P, R, vesicles


def built(heads=1, **fields):
    part = VesicleRelease(**{"strength": 1.0} | fields).build(heads=heads, layer=0)
    initialize(part, 0)
    return part


def none(*shape):
    return torch.zeros(*shape, dtype=torch.long)


def test_the_first_query_of_a_key_gets_its_own_score():
    part, scores = built(2), 3 * torch.randn(2, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    out, _ = part(scores, part.init_state(2), none(2, 9), 0, none(2, 9))
    assert torch.equal(out.diagonal(dim1=2, dim2=3), scores.diagonal(dim1=2, dim2=3))
    assert not torch.equal(out[:, :, 1, 0], scores[:, :, 1, 0])
    assert (out == -torch.inf).equal(torch.ones(9, 9, dtype=torch.bool).triu(1).expand_as(out))


@torch.no_grad()
def test_a_key_hit_32_times_tires_and_recovers():
    """The default kinetics, k = 0.03 and kappa = 1.6."""
    part, hits, silence = built(), 32, 200
    scores = torch.full((1, 1, hits + silence, hits + silence), -30.0)
    scores[:, :, :hits, 0] = 5.0
    seen = part.watch(scores, none(1, hits + silence))
    ready, shift = seen["ready"][0, 0, :, 0], seen["shift"][0, 0, :hits, 0]
    assert shift[0] == 0.0 and shift[hits - 1] < shift[4] < shift[3] < shift[2] < 0.0
    low = float(ready[hits - 1])
    assert 0.15 < low < 0.27
    half = int((ready[hits:] >= (1 + low) / 2).nonzero()[0]) + 1
    assert 12 <= half <= 18
    assert ready[-1] > 0.98


@torch.no_grad()
def test_vesicles_are_conserved_and_pools_stay_in_range():
    part, state, steps = built(2), None, 2000
    state = part.init_state(1)
    generator = torch.Generator().manual_seed(3)
    for time in range(0, steps, 100):  # one old key, asked by 2,000 queries, among the keys of the chunk
        keys = state.shape[-1] + 100
        scores = 1e3 * torch.randn(1, 2, 100, keys, generator=generator)
        out, state = part(scores, state, none(1, 100), time, none(1, 100))
        assert out[..., 0].isfinite().all()
        state = state[..., :1].clone()
        assert ((vesicles(state) - FULL).abs() < 1e-5 * FULL).all()
        assert ((state[:, :, R] >= 0) & (state[:, :, R] <= 1)).all()
        assert ((state[:, :, P] >= 0) & (state[:, :, P] <= FULL)).all()
        assert ((state[:, :, RING:] >= 0) & (state[:, :, RING:] <= 1)).all()


def test_gradients_are_finite_at_scores_of_ten_thousand():
    part = built(2)
    scores = (1e4 * torch.randn(1, 2, 40, 40, generator=torch.Generator().manual_seed(4))).requires_grad_()
    out, state = part(scores, part.init_state(1), none(1, 40), 0, none(1, 40))
    (out[out.isfinite()].sum() + state.sum()).backward()
    assert scores.grad.isfinite().all() and all(each.grad.isfinite().all() for each in part.parameters())


@torch.no_grad()
def test_watching_shows_what_the_op_does():
    part = built(2)
    scores = 3 * torch.randn(2, 2, 20, 20, generator=torch.Generator().manual_seed(5))
    first = torch.arange(20).expand(2, -1).sub(11).clamp_min(0)
    out, state = part(scores, part.init_state(2), first, 0, first)
    seen = part.watch(scores, first)
    looked = out > -torch.inf
    torch.testing.assert_close((scores + seen["shift"])[looked], out[looked], atol=1e-5, rtol=0)
    for name, each in seen.items():
        assert torch.equal(each.isfinite(), looked), name
    asked = looked[:, :, -1]
    torch.testing.assert_close(seen["ready"][:, :, -1][asked], state[:, :, R][asked], atol=1e-5, rtol=0)


@torch.no_grad()
def test_watching_tells_release_before_it_counts():
    """Lambda scales the shift and nothing else; the release is that of the formula."""
    scores, first = torch.full((1, 1, 6, 6), 4.0), torch.zeros(1, 6, dtype=torch.long)
    mine, other = (built(strength=strength).watch(scores, first) for strength in (0.0, 0.5))
    for name in mine.keys() - {"shift"}:
        torch.testing.assert_close(mine[name], other[name], equal_nan=True)
    assert (mine["shift"][0, 0, :, 0] == 0).all()
    torch.testing.assert_close(other["shift"], 0.5 * other["release"].log(), equal_nan=True)
    influx = 1 / (1 + math.exp(-0.5))
    sensors = 0.7 * influx**2 / (influx**2 + 0.64) + 0.3 * influx**2 / (influx**2 + 0.16)
    assert float(mine["released"][0, 0, 0, 0]) == pytest.approx(1 - math.exp(-0.8 * sensors), abs=1e-5)
    assert (mine["release"][0, 0, 2:, 0] < mine["release"][0, 0, 1:-1, 0]).all()
