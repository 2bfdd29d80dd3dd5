"""Drawn release: bounds, mean, gradients, and noise that belongs to the text."""

import pytest
import torch

from wetware.kernels import Refused, vesicle_scan
from wetware.parameters import initialize
from wetware.synapses import GumbelSample, NormalSample, StraightThrough, VesicleRelease
from wetware.synapses.sampling import Draws, places

KINDS = (NormalSample, GumbelSample, StraightThrough)


def draws(sampler, batch=1, queries=1, keys=1, start=0):
    place = torch.arange(start, start + queries).expand(batch, -1)
    return Draws(sampler, 0, 2, place, torch.zeros_like(place), keys)


def built(sampler, **fields):
    part = VesicleRelease(strength=1.0, sampler=sampler, **fields).build(heads=2, layer=0)
    initialize(part, 0)
    return part


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_is_kept_and_the_bounds_hold(kind):
    p = torch.tensor([0.05, 0.3, 0.5, 0.95]).repeat(2000).expand(1, 2, -1)
    ready = torch.tensor([1.0, 0.4, 0.7, 0.2]).repeat(2000).expand(1, 2, -1)
    drawn = torch.cat([draws(kind(seed=seed), keys=8000)(p, ready, 0) for seed in range(5)], 1)
    assert (drawn >= 0).all() and (drawn <= ready[:, :1]).all()
    mean, expected = drawn.view(10, 2000, 4).mean((0, 1)), (p * ready)[0, 0, :4]
    torch.testing.assert_close(mean, expected, atol=0.006, rtol=0)  # five deviations of 20,000 draws are 0.0045 at most
    assert drawn.view(-1, 4).std(0).min() > 0.005  # the last may move by no more than 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_flow_to_both(kind):
    p, ready = torch.full((1, 2, 50), 0.4, requires_grad=True), torch.full((1, 2, 50), 0.8, requires_grad=True)
    draws(kind(), keys=50)(p, ready, 0).sum().backward()
    for tensor in (p, ready):
        assert tensor.grad is not None and tensor.grad.isfinite().all() and tensor.grad.sum() > 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_a_whole_text_are_finite_at_large_scores(kind):
    part = built(kind())
    scores = (1e4 * torch.randn(1, 2, 12, 12, generator=torch.Generator().manual_seed(0))).requires_grad_()
    first = torch.zeros(1, 12, dtype=torch.long)
    out, _ = part(scores, part.init_state(1), first, 0, first)
    out[out.isfinite()].sum().backward()
    assert scores.grad.isfinite().all() and all(p.grad.isfinite().all() for p in part.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_noise_belongs_to_the_text(kind):
    """In chunks, with dropped keys, after another document: the same; with another seed, layer or token: another."""
    part, tokens = built(kind()), torch.randint(0, 9, (1, 20), generator=torch.Generator().manual_seed(1))
    scores = torch.randn(1, 2, 20, 20, generator=torch.Generator().manual_seed(2)) + 3.0
    first = (torch.arange(20)[None] - 7).clamp_min(0)
    whole, _ = part(scores, part.init_state(1), first, 0, tokens)
    head, state = part(scores[:, :, :11, :11], part.init_state(1), first[:, :11], 0, tokens[:, :11])
    rest, _ = part(scores[:, :, 11:, 3:], state[..., 3:], (first[:, 11:] - 3).clamp_min(0), 11, tokens[:, 11:])
    torch.testing.assert_close(head, whole[:, :, :11, :11], atol=1e-6, rtol=0)
    torch.testing.assert_close(rest, whole[:, :, 11:, 3:], atol=1e-6, rtol=0)
    moved = torch.zeros(1, 2, 25, 25)
    moved[:, :, 5:, 5:] = scores
    later = torch.cat([torch.zeros(1, 5, dtype=torch.long), first + 5], 1)
    after, _ = part(moved, part.init_state(1), later, 0, torch.cat([tokens[:, :5], tokens], 1))
    torch.testing.assert_close(after[:, :, 5:, 5:], whole, atol=1e-6, rtol=0)
    for other, text in ((built(kind(seed=1)), tokens), (part, tokens + 1)):
        drawn, _ = other(scores, other.init_state(1), first, 0, text)
        assert ((drawn - whole).abs() > 1e-3).any()


def test_share_of_rows_that_are_drawn():
    p, ready = torch.full((1, 2, 64), 0.5), torch.ones(1, 2, 64)
    sample = draws(StraightThrough(share=0.25), queries=64, keys=64)
    fixed = torch.stack([(sample(p, ready, i) == 0.5).all(-1) for i in range(64)]).float().mean()
    assert 0.6 < fixed < 0.9


def test_places_begin_again_at_a_document_and_go_on_in_a_chunk():
    first = torch.tensor([[0, 0, 5, 5], [0, 1, 2, 3]])
    assert places(first, torch.tensor([9, 2]), 7).tolist() == [[10, 11, 0, 1], [3, 4, 5, 6]]


def test_kernels_refuse_to_draw():
    part = built(None)
    state, first = part.init_state(1), torch.zeros(1, 3, dtype=torch.long)
    for name in vesicle_scan.backends:
        with vesicle_scan.using(name), pytest.raises(Refused):
            vesicle_scan(torch.zeros(1, 2, 3, 3), state, part.kinetics(), first, time=0, sample=draws(NormalSample()))
