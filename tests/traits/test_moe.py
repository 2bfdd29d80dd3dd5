import pytest
import torch
from torch.nn import functional

import wetware
from wetware import ConfigError, MixtureOfExperts
from wetware.config import with_
from wetware.layers.dispatch import imbalance
from wetware.operations import Workload, operations

from .subjects import PLACE, alone, context, part, vectors


def swiglu(expert, y):
    gate = expert.fc_gate.weight @ y
    return expert.fc_down.weight @ (gate * torch.sigmoid(gate) * (expert.fc_up.weight @ y))


def by_hand(trait, vector):
    """One token by itself; and the weight of each expert."""
    y = vector / vector.square().mean().sqrt()
    scores = torch.log1p((trait.router.weight @ y).exp()).sqrt()
    chosen = sorted(range(len(scores)), key=lambda e: -scores[e].item())[: trait.config.top_k]
    weights = torch.zeros(len(scores))
    for e in chosen:
        weights[e] = scores[e] / sum(scores[i] for i in chosen)
    mixed = swiglu(trait.shared, y) + sum(weights[e] * swiglu(trait.experts[e], y) for e in chosen)
    return vector + torch.tanh(trait.gate) * mixed, weights


@pytest.mark.parametrize(("experts", "top_k"), [(6, 2), (5, 1), (3, 3), (1, 1)])
def test_the_formula(experts, top_k):
    trait, z, seen = alone(MixtureOfExperts(experts=experts, top_k=top_k, hidden=7)), vectors(), context()
    found, trace = trait(z, (), seen).hidden, trait.trace(z, (), seen)["experts"]
    for row, step in torch.cartesian_prod(torch.arange(2), torch.arange(9)).tolist():
        expected, weights = by_hand(trait, z[row, step])
        torch.testing.assert_close(found[row, step], expected)
        torch.testing.assert_close(trace[row, step], weights)


def test_gradients_reach_what_was_chosen_as_by_hand():
    trait, z = alone(MixtureOfExperts(hidden=7)), vectors()
    weighing = torch.randn(z.shape, generator=torch.Generator().manual_seed(3))
    hand = torch.stack([by_hand_differentiable(trait, vector) for vector in z.flatten(0, 1)]).view(z.shape)
    parameters = list(trait.parameters())
    mine = torch.autograd.grad((trait(z, (), context()).hidden * weighing).sum(), parameters, materialize_grads=True)
    other = torch.autograd.grad((hand * weighing).sum(), parameters, materialize_grads=True)
    for a, b in zip(mine, other, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def by_hand_differentiable(trait, vector):
    """Every expert, weighed by 0 where it was not chosen."""
    y = vector / vector.square().mean().sqrt()
    scores = functional.softplus(trait.router.weight @ y).sqrt()
    scores = torch.where(scores >= scores.sort(descending=True).values[trait.config.top_k - 1], scores, 0.0)
    mixed = torch.stack([swiglu(expert, y) for expert in trait.experts]).T @ (scores / scores.sum())
    return vector + torch.tanh(trait.gate) * (swiglu(trait.shared, y) + mixed)


def test_a_position_knows_no_other():
    trait, z, seen = alone(MixtureOfExperts()), vectors(), context(starts=((0, 4),))
    whole = trait(z, (), seen).hidden
    parts = [trait(z[:, a:b], (), part(seen, a, b)).hidden for a, b in ((0, 1), (1, 4), (4, 9))]
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_imbalance():
    scores = torch.full((8, 4), 0.25)
    assert imbalance(scores, torch.arange(16).remainder(4).view(8, 2), 4) == 1
    assert imbalance(torch.eye(4)[:1].expand(8, 4), torch.zeros(8, 1, dtype=torch.long), 4) == 4


def test_the_loss_spreads_the_tokens():
    """A router that prefers one expert is talked out of it."""
    generator = torch.Generator().manual_seed(0)
    trait, z = alone(MixtureOfExperts(hidden=4, balance=wetware.LoadBalance(weight=1.0))), vectors(16, 32)
    z = z + 3.0 * torch.randn(PLACE.width, generator=generator)
    before = trait.trace(z, (), context())["experts"].mean((0, 1))
    optimizer = torch.optim.Adam([trait.router.weight], lr=0.01)
    for _ in range(100):
        trait(z, (), context()).losses["balance"].backward()
        optimizer.step()
        optimizer.zero_grad()
    after = trait.trace(z, (), context())["experts"].mean((0, 1))
    assert after.max() < before.max()
    assert before.min() < 0.02 < 0.08 < after.min()


def test_a_mean_token_computes_its_share():
    config = with_(wetware.tiny("spikewhale"), "traits", (MixtureOfExperts(hidden=10),))
    model = config.build(seed=0)
    found = operations(model, Workload(dict.fromkeys(model.modules(), 1.0), torch.ones(67) / 67, 8))
    computed = sum(operation.dense for operation in found if operation.name.startswith("traits."))
    assert computed == pytest.approx(24 * 6 + (1 + 2) * 3 * 24 * 10)


def test_more_chosen_than_there_are():
    with pytest.raises(ConfigError, match="top_k = 3: allowed 1 to experts = 2"):
        MixtureOfExperts(experts=2, top_k=3)
