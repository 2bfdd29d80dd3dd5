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


def outcome(backend, case, sample, dtype=torch.float32):
    """Outputs, and the gradients of a weighing of them, of a case of the op where release is drawn."""
    *floats, first = case.args
    inputs = [value.detach().to(dtype).requires_grad_() for value in floats]
    with vesicle_scan.using(backend):
        outputs = vesicle_scan(*inputs, first, **case.keywords, sample=sample)
    total = sum((out * torch.linspace(-1.0, 2.0, out.numel()).to(out).view(out.shape)).sum() for out in outputs)
    return [*outputs, *torch.autograd.grad(total, inputs, materialize_grads=True)]


def every_way():
    yield from (kind() for kind in KINDS)
    yield NormalSample(vesicles=1)  # cut on both sides
    yield GumbelSample(temperature=0.3, vesicles=2, share=0.5)


@pytest.mark.parametrize("sampler", list(every_way()), ids=lambda s: f"{type(s).__name__}-{s.vesicles}-{s.share}")
def test_the_loops_draw_what_the_reference_draws(sampler):
    """Values and every gradient. Of these numbers none lies so near its probability that rounding would change a choice."""
    drawn = False
    for case in vesicle_scan.cases():
        batch, heads, queries, keys = case.args[0].shape
        place = torch.arange(keys - queries, keys).expand(batch, -1)
        sample = Draws(sampler, 3, heads, place, place * 7919 % 50, keys)
        mine, reference = outcome("numba", case, sample), outcome("reference", case, sample)
        for a, b in zip(mine, reference, strict=True):
            largest = float(b.detach().abs().max()) if b.numel() else 0.0
            torch.testing.assert_close(a, b, atol=3e-6 * max(1.0, largest), rtol=0)
        drawn |= not torch.allclose(mine[0], outcome("reference", case, None)[0], atol=0.01)
    assert drawn


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hazard", [1e-9, 1e-3, 30.0])
def test_the_loops_draw_at_the_ends(kind, hazard):
    """Where almost nothing or almost all is let go, and half of the pools are all but empty: kappa brings the share
    there. (Of an empty one the normal way has no slope.)"""
    generator = torch.Generator().manual_seed(0)
    case = list(vesicle_scan.cases())[3]
    scores, state, kinetics, first = (value.clone() for value in case.args)
    kinetics[7], kinetics[8] = hazard, 0.0
    state[:, :, 2] *= torch.rand(state[:, :, 2].shape, generator=generator, dtype=state.dtype).round() + 1e-3
    state[:, :, 2] /= 1.001
    place = torch.arange(first.shape[1]).expand(first.shape[0], -1)
    sample = Draws(kind(), 0, kinetics.shape[1], place, place, scores.shape[-1])
    case = case._replace(args=(scores, state, kinetics, first))
    for a, b in zip(outcome("numba", case, sample), outcome("reference", case, sample), strict=True):
        assert a.isfinite().all()
        torch.testing.assert_close(a, b, atol=1e-4 * max(1.0, float(b.detach().abs().max())), rtol=0)


def test_who_draws_and_who_refuses():
    part = built(None)
    given = (torch.zeros(1, 2, 3, 3), part.init_state(1), part.kinetics(), torch.zeros(1, 3, dtype=torch.long))
    numba = vesicle_scan.backends["numba"].refuses
    for kind in KINDS:
        assert numba(*given, time=0, sample=draws(kind(), queries=3, keys=3)) is None
    assert "rows to draw from of [1, 2, 3], got [1, 2, 2]" in (
        numba(*given, time=0, sample=draws(NormalSample(), queries=2, keys=3)) or ""
    )
    for name in vesicle_scan.backends:  # a function that tells nothing
        with vesicle_scan.using(name), pytest.raises(Refused):
            vesicle_scan(*given, time=0, sample=lambda p, ready, query: p * ready)
