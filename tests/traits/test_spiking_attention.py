"""Spiking linear attention: the formula by hand, its alternatives, boundaries, and what it is for."""

from __future__ import annotations

import itertools
from dataclasses import replace
from statistics import NormalDist

import pytest
import torch
from torch.nn import functional

import wetware
from wetware.kernels import linear_attention, rms_norm
from wetware.operations import Workload, operations, uncounted
from wetware.parameters import initialize
from wetware.traits import (
    Context,
    FixedRetention,
    LearnedRetention,
    Place,
    RealKeys,
    SpikingAttention,
    SpikingKeys,
)

PLACE = Place(width=24, neurons=16, layers=2, vocab_size=11, boundary=0)
SMALL = SpikingAttention(heads=2, key_size=8, value_size=5)
KINDS = [
    replace(SMALL, keys=keys, retention=retention)
    for keys, retention in itertools.product((SpikingKeys(), RealKeys()), (FixedRetention(), LearnedRetention()))
]
NAMES = [f"{type(kind.keys).__name__}-{type(kind.retention).__name__}" for kind in KINDS]


def opened(config, a=0.7, seed=0):
    trait = config.build(PLACE)
    initialize(trait, seed)
    with torch.no_grad():
        trait.opening.fill_(a)
    return trait


def reading(steps, seed=0, batch=3):
    """Hidden vectors, and their context: one row starts a document in its middle, one at its first token."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(1, 11, (batch, steps), generator=generator)
    tokens[0, steps // 2] = tokens[1, 0] = 0
    hidden = rms_norm(torch.randn(batch, steps, 24, generator=generator))
    return hidden, Context(tokens, (tokens != 0).float(), torch.zeros(11, 24), lambda x: x)


def test_two_pairs_by_hand():
    """Two keys written, the first asked for: its value, as much as is left of it, and nothing of the other."""
    key = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 0]]).view(1, 3, 1, 4)
    query = torch.tensor([[0.0, 0, 0, 0], [0, 0, 1.0, 0], [1.0, 0, 0, 1.0]]).view(1, 3, 1, 4)
    value = torch.tensor([[3.0, 1.0], [5.0, 7.0], [9.0, 9.0]]).view(1, 3, 1, 2)
    for name in ("chunked", "reference"):
        with linear_attention.using(name):
            y, state = linear_attention(query, key, value, torch.zeros(1, 1, 4, 2), torch.tensor([0.5]))
        assert y.view(3, 2).tolist() == [[0.0, 0.0], [2.5, 3.5], [0.375, 0.125]]  # 1/4 of the first; all over sqrt(4)
        assert state.view(4, 2).tolist() == [[0.75, 0.25], [0.0, 0.0], [2.5, 3.5], [0.0, 0.0]]


def test_one_token_is_the_recurrence():
    case = next(case for case in linear_attention.cases() if case.name.startswith("1x1x"))
    assert linear_attention.explain(*case.args) == (
        "chunked: refused, of one token, the recurrence is all there is; reference: chosen"
    )


def test_the_formula():
    """Every token of every head as a sum over the tokens of its own document, in float64."""
    trait = opened(SMALL).double()
    hidden, context = reading(9)
    hidden, context = hidden.double(), context._replace(keep=context.keep.double())
    out = trait(hidden, trait.init_state(3), context).hidden
    u = hidden / hidden.square().mean(-1, keepdim=True).sqrt()
    query, key = (
        (u @ part.project.weight.T >= part.threshold).double().view(3, 9, 2, 8) for part in (trait.query, trait.key)
    )
    value, gate = (u @ part.weight.T for part in (trait.value, trait.gate))
    value = value.view(3, 9, 2, 5)
    for b, t in itertools.product(range(3), range(9)):
        start = max((s for s in range(t + 1) if context.tokens[b, s] == 0), default=0)
        heads = []
        for h, decay in enumerate((1 - 2**-5, 1 - 2**-6)):
            found = sum(
                decay ** (t - s) * (query[b, t, h] @ key[b, s, h]) * value[b, s, h] for s in range(start, t + 1)
            )
            found = found / 8**0.5
            heads.append(found / (found.square().mean() + 0.01).sqrt())
        update = functional.silu(gate[b, t]) * torch.cat(heads)
        expected = hidden[b, t] + torch.tanh(torch.tensor(0.7)) * (trait.out.weight @ update)
        torch.testing.assert_close(out[b, t], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.6])
def test_features_fire_as_often_as_asked(rate):
    config = SpikingAttention(heads=8, key_size=64, keys=SpikingKeys(rate=rate))
    trait = opened(config)
    assert trait.key.threshold[0].item() == pytest.approx(NormalDist().inv_cdf(1 - rate), abs=1e-6)
    hidden, context = reading(64, batch=8)
    seen = trait.trace(hidden, trait.init_state(8), context)
    assert seen["queries"].shape == seen["keys"].shape == (8, 64)
    for share in seen.values():
        assert share.mean().item() == pytest.approx(rate, abs=0.01)


@pytest.mark.parametrize("config", KINDS, ids=NAMES)
@torch.no_grad()
def test_chunks_are_the_whole(config):
    trait = opened(config)
    hidden, context = reading(83)
    whole, final, _ = trait(hidden, trait.init_state(3), context)
    for sizes in ((1,) * 83, (5, 70, 1, 7), (41, 42)):
        state, parts, first = trait.init_state(3), [], 0
        for size in sizes:
            part = slice(first, first + size)
            piece = context._replace(tokens=context.tokens[:, part], keep=context.keep[:, part])
            out, state, _ = trait(hidden[:, part], state, piece)
            parts.append(out)
            first += size
        torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)
        torch.testing.assert_close(state, final, atol=1e-4, rtol=0)


@pytest.mark.parametrize("config", KINDS, ids=NAMES)
def test_gradients_end_at_a_boundary(config):
    trait = opened(config)
    hidden, context = reading(12, batch=2)
    hidden.requires_grad_()
    state = trait.init_state(2).normal_(generator=torch.Generator().manual_seed(1)).requires_grad_()
    made, after, _ = trait(hidden, state, context)
    by_hidden, by_state = torch.autograd.grad(made[0, 8:].sum() + after[0].sum(), (hidden, state), retain_graph=True)
    assert by_hidden[0, :6].abs().max() == by_hidden[1].abs().max() == by_state.abs().max() == 0
    assert by_hidden[0, 6:].abs().sum(-1).min() > 0
    by_hidden, by_state = torch.autograd.grad(made[0, 4].sum(), (hidden, state))
    assert by_hidden[0, 5:].abs().max() == 0 and by_state[0].abs().sum() > 0


@pytest.mark.parametrize("config", KINDS, ids=NAMES)
def test_neutral_and_alive(config):
    bare = wetware.tiny("spikewhale")
    with_it = replace(bare, traits=(config,)).build(seed=1)
    text = torch.randint(0, 67, (4, 33), generator=torch.Generator().manual_seed(0))
    assert torch.equal(with_it(text).logits, bare.build(seed=1)(text).logits)
    optimizer, alive = torch.optim.SGD(with_it.parameters(), lr=1e-2), set()
    for _ in range(2):
        optimizer.zero_grad()
        wetware.training.cross_entropy(with_it(text[:, :-1]).logits, text[:, 1:]).backward()
        alive |= {n for n, p in with_it.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        optimizer.step()
    assert alive == {name for name, _ in with_it.named_parameters()}


def test_every_matrix_is_counted():
    model = replace(wetware.tiny("spikewhale"), traits=(SMALL,)).build(seed=0)
    work = Workload(dict.fromkeys(model.modules(), 1.0), torch.ones(67) / 67, 8)
    found = operations(model, work)
    assert uncounted(model, found) == []
    per_head = {term.name.rpartition(".")[2]: term.dense for term in found if ".spiking_attention." in f".{term.name}"}
    assert per_head["read"] == per_head["write"] == 2 * 8 * 5


def test_learned_decays_follow_their_gradient():
    """Against finite differences, over more than one chunk and a boundary, through the decay itself."""
    trait = opened(replace(SMALL, retention=LearnedRetention(first=2.0))).double()
    hidden, context = reading(70)
    hidden, context = hidden.double(), context._replace(keep=context.keep.double())
    weights = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def loss():
        return (trait(hidden, trait.init_state(3), context).hidden * weights).sum()

    (gradient,) = torch.autograd.grad(loss(), trait.logit)
    for head in range(2):
        values = []
        for shift in (1e-5, -1e-5):
            with torch.no_grad():
                trait.logit[head] += shift
                values.append(loss().item())
                trait.logit[head] -= shift
        assert gradient[head].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4)


def test_a_query_in_vain_does_not_explode():
    """Nothing was read, so nothing is found; what is learned of that stays of ordinary size."""
    trait = opened(replace(SMALL, keys=SpikingKeys(rate=0.001)))
    hidden, context = reading(20)
    hidden.requires_grad_()
    out = trait(hidden, trait.init_state(3), context).hidden
    assert (out - hidden).abs().max() < 1e-6
    out.sum().backward()
    assert hidden.grad.abs().max() < 100


@pytest.mark.parametrize("config", KINDS, ids=NAMES)
def test_half_precision_keeps_its_memory_whole(config):
    trait = opened(config)
    hidden, context = reading(20)
    with torch.autocast("cpu", torch.bfloat16):
        made, state, _ = trait(hidden, trait.init_state(3), context)
        made.float().sum().backward()
    assert state.dtype == torch.float32
    exact = trait(hidden, trait.init_state(3), context).hidden
    assert (made - exact).abs().mean() < 0.1 * (exact - hidden).abs().mean()  # a few features flip


def test_a_decay_that_would_be_one_is_refused():
    with pytest.raises(wetware.ConfigError, match=r"heads = 16 from retention.first = 6 on"):
        SpikingAttention(heads=16, retention=FixedRetention(first=6.0))
