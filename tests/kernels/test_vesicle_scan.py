"""What vesicles do, held against what the equations promise; on the reference and, where numba is there, compiled."""

from __future__ import annotations

import itertools

import pytest
import torch

from wetware.kernels.vesicle_scan import vesicle_scan
from wetware.kernels.vesicle_scan.cases import USUAL
from wetware.kernels.vesicle_scan.reference import RING, B, E, P, R, S, X, rest

DELAY = 4
both = pytest.mark.parametrize("backend", ["reference", "numba"])


def kinetics(heads=1, dtype=torch.float32, lam=1.0):
    table = torch.tensor(USUAL, dtype=dtype)[:, None].repeat(1, heads)
    table[17] = lam
    return table


def ask(backend, scores, state=None, rates=None, first=None, time=0, **options):
    """Scores [B, H, Q, K]; everything that is not said is usual."""
    batch, heads, queries, _ = scores.shape
    rates = kinetics(heads, scores.dtype) if rates is None else rates
    state = rest(rates, batch, 0, DELAY) if state is None else state
    first = torch.zeros(batch, queries, dtype=torch.long) if first is None else first
    with vesicle_scan.using(backend):
        return vesicle_scan(scores, state, rates, first, time=time, **options)


def random(*shape, seed=0, scale=2.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def after_hits(backend, scores):
    """One key alone that is asked with each of the scores: R, P and so on after each, [F, T], and its output, [T]."""
    rates = kinetics()
    state, outs, states = rest(rates, 1, 1, DELAY), [], []
    for time, score in enumerate(scores):
        asked = torch.tensor([[[[score, -1e3]]]])
        out, state = ask(backend, asked, state, rates, time=time)
        outs.append(out[0, 0, 0, 0])
        state = state[..., :1]
        states.append(state[0, 0, :, 0])
    return torch.stack(states, 1), torch.stack(outs)


@both
def test_a_rested_key_adds_exactly_nothing(backend):
    scores = random(2, 3, 70, 70, scale=4.0)
    out, _ = ask(backend, scores)
    diagonal = out.diagonal(dim1=-2, dim2=-1)
    assert torch.equal(diagonal, scores.diagonal(dim1=-2, dim2=-1))
    assert not torch.equal(out.tril(-1), scores.tril(-1))  # the others are not rested


@both
@pytest.mark.parametrize("hidden", [0.0, -torch.inf])
def test_where_a_query_does_not_look(backend, hidden):
    scores, first = random(1, 2, 50, 50), (torch.arange(50) - 20).clamp(min=0)[None]
    out, _ = ask(backend, scores, first=first, hidden=hidden)
    place = torch.arange(50)
    asked = (place <= place[:, None]) & (place >= first[0, :, None])
    assert (out[:, :, ~asked] == hidden).all()
    assert out[:, :, asked].isfinite().all()


@pytest.mark.parametrize(
    ("backend", "dtype", "bound"), [("reference", torch.float64, 1e-12), ("numba", torch.float32, 4e-5)]
)
def test_vesicles_are_conserved(backend, dtype, bound):
    """2,000 tokens in chunks, of which each asks the last 40 keys."""
    rates, tokens, window = kinetics(2, dtype), 2000, 40
    state, worst = rest(rates, 1, 0, DELAY), 0.0
    for time in range(0, tokens, 50):
        before = state[..., -window:]
        scores = random(1, 2, 50, 50 + before.shape[-1], seed=time).to(dtype)
        first = (torch.arange(50) + before.shape[-1] - window + 1).clamp(min=0)[None]
        _, state = ask(backend, scores, before, rates, first, time)
        total = state[:, :, R] + state[:, :, P] + state[:, :, RING:].sum(2)
        worst = max(worst, float((total - 4.0).abs().max()) / 4.0)
    assert worst < bound


@both
@pytest.mark.parametrize("scale", [2.0, 1e3])
def test_nothing_is_overdrawn(backend, scale):
    _, state = ask(backend, random(2, 2, 90, 90, scale=scale))
    slack = 1e-5
    for row, most in ((B, 1.0), (R, 1.0), (P, 4.0), (S, 1.0), (X, 1.0), (E, 1.0)):
        assert state[:, :, row].min() >= -slack and state[:, :, row].max() <= most + slack
    assert (state[:, :, 0] >= 0).all() and (state[:, :, RING:] >= -slack).all()


@both
def test_a_key_that_is_hit_again_and_again_tires_and_recovers(backend):
    """The figures are of a prototype: release falls to .79, .52, .36 of a fresh one, R to .21 after 32 hits, and comes half way
    back in 15 silent tokens. Residual calcium goes on releasing first, so bounds from priming alone would be too early."""
    states, out = after_hits(backend, [5.0] * 32 + [-1e3] * 128)
    floor, fresh = 0.1, 1.0 - torch.exp(torch.tensor(-0.5 * 1.6 * _sensors(_sigmoid(1.5))))
    energy = torch.cat([torch.ones(1), states[E]])[:32]
    ratio = ((out[:32] - 5.0).exp() * (fresh + floor) - floor) / energy / fresh  # out of the score back to release
    torch.testing.assert_close(ratio[:5], torch.tensor([1.0, 0.79, 0.52, 0.36, 0.28]), atol=0.02, rtol=0)
    assert abs(float(ratio[31]) - 0.24) < 0.02
    tired = float(states[R, 31])
    assert abs(tired - 0.21) < 0.01
    half = next(n for n in range(1, 128) if states[R, 31 + n] > (1.0 + tired) / 2)
    assert 13 <= half <= 17
    assert states[R, -1] > 0.99


def _sigmoid(x):
    return float(torch.sigmoid(torch.tensor(x)))


def _sensors(calcium):
    square = calcium**2
    return 0.7 * square / (square + 0.64) + 0.3 * square / (square + 0.16)


@pytest.mark.parametrize("cuts", [(0, 41, 42, 90), (0, 1, 2, 3, 35, 67, 90)])
def test_chunks_are_the_whole(cuts):
    scores, first = random(2, 2, 90, 90), (torch.arange(90) - 60).clamp(min=0).expand(2, -1)
    whole, last = ask("numba", scores, first=first)
    state = None
    for start, stop in itertools.pairwise(cuts):
        out, state = ask("numba", scores[:, :, start:stop, :stop], state, first=first[:, start:stop], time=start)
        assert torch.equal(out, whole[:, :, start:stop, :stop])
    assert torch.equal(state, last)


def test_the_future_changes_nothing_before_it():
    scores = random(1, 2, 70, 70)
    other = scores.clone()
    other[:, :, 45:] = random(1, 2, 25, 70, seed=1, scale=1e4)
    assert torch.equal(ask("numba", scores)[0][:, :, :45], ask("numba", other)[0][:, :, :45])


def test_gradients_through_chunks_are_those_of_the_whole():
    """The gradient of the state that is given out goes back into the chunk before."""
    weights, found = random(1, 2, 60, 60, seed=3).tril(), []
    for cuts in ((0, 60), (0, 17, 60)):
        scores, rates = random(1, 2, 60, 60).requires_grad_(), kinetics(2).requires_grad_()
        state, total = rest(rates, 1, 0, DELAY), torch.zeros(())
        for start, stop in itertools.pairwise(cuts):
            out, state = ask("numba", scores[:, :, start:stop, :stop], state, rates, time=start)
            total = total + (out * weights[:, :, start:stop, :stop]).sum()
        found.append(torch.autograd.grad(total, (scores, rates)))
    for whole, pieces in zip(*found, strict=True):
        torch.testing.assert_close(pieces, whole, atol=1e-5 * float(whole.abs().max()), rtol=0)


@both
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_all_is_finite_and_hidden_gradients_are_not_looked_at(backend, scale):
    scores, rates = random(1, 2, 40, 40, scale=scale).requires_grad_(), kinetics(2).requires_grad_()
    out, state = ask(backend, scores, rates=rates, hidden=-torch.inf)
    seen = torch.ones(40, 40, dtype=torch.bool).tril()
    assert out[:, :, seen].isfinite().all() and state.isfinite().all()
    total = torch.where(seen, out, 0.0).sum() + state.sum()
    assert all(g.isfinite().all() for g in torch.autograd.grad(total, (scores, rates)))


@pytest.mark.parametrize("case", ["double", "state", "kinetics", "first", "more queries than keys", "no ring", "time"])
def test_what_is_refused(case):
    scores, state, rates = torch.zeros(1, 2, 3, 5), torch.zeros(1, 2, 11, 2), kinetics(2)
    first, time = torch.zeros(1, 3, dtype=torch.long), 0
    assert vesicle_scan.backends["numba"].refuses(scores, state, rates, first, time=time) is None
    if case == "double":
        scores = scores.double()
    elif case == "state":
        state = torch.zeros(1, 2, 11, 3)
    elif case == "kinetics":
        rates = kinetics(3)
    elif case == "first":
        first = first.int()
    elif case == "more queries than keys":
        scores = torch.zeros(1, 2, 5, 3)
    elif case == "no ring":
        state = torch.zeros(1, 2, 7, 2)
    else:
        time = -1
    assert vesicle_scan.backends["numba"].refuses(scores, state, rates, first, time=time)
