import pytest
import torch
from torch.nn import functional

from wetware import JEPA, VarianceHinge
from wetware.parameters import initialize
from wetware.traits import Context

from .subjects import PLACE, alone, context, vectors


def pairs_by_hand(trait, z, starts, ahead):
    found = []
    for row in range(len(z)):
        for t in range(z.shape[1] - ahead):
            if not any((row, between) in starts for between in range(t + 1, t + ahead + 1)):
                normed = z[row, t] / z[row, t].square().mean().sqrt()
                p = trait.fc_out.weight @ functional.gelu(trait.fc_hidden.weight @ normed)
                target = z[row, t + ahead].detach()
                found.append(1 - p @ target / (p.norm() * target.norm()))
    return torch.stack(found)


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("starts", [(), ((0, 4),), ((0, 0), (1, 8), (1, 2))])
def test_the_formula(ahead, starts):
    trait, z = alone(JEPA(horizon=ahead, hidden=7, weight=0.25)), vectors().requires_grad_()
    loss = trait.losses(z, context(starts=starts))["prediction"]
    expected = 0.25 * pairs_by_hand(trait, z, starts, ahead).mean()
    torch.testing.assert_close(loss, expected)
    for mine, other in zip(torch.autograd.grad(loss, z), torch.autograd.grad(expected, z), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("seen", [context(steps=3), context(steps=3)._replace(keep=None)], ids=["kept", "no boundary"])
def test_without_a_pair_there_is_a_gradient_of_zero(seen):
    trait, z = alone(JEPA(horizon=4, hidden=7)), vectors(steps=3).requires_grad_()
    loss = trait.losses(z, seen)["prediction"]
    assert loss == 0
    loss.backward()
    assert not trait.fc_out.weight.grad.any()


def test_hidden_vectors_pass_as_they_are():
    z = vectors()
    assert alone(JEPA())(z, (), context()).hidden is z


def test_the_hinge_by_hand():
    """Two vectors of mean square 1: in each coordinate they deviate by 0.6 and by 0 from their mean."""
    z = torch.tensor([[[0.6, 1.28], [-0.6, 1.28]]])
    y = z / z.square().mean(-1, keepdim=True).sqrt()
    expected = 0.5 * ((1 - y[0, 0, 0]) + 1.0) / 2
    torch.testing.assert_close(VarianceHinge(weight=0.5).loss(z), expected, atol=5e-3, rtol=0)
    torch.testing.assert_close(VarianceHinge().loss(z), VarianceHinge().loss(100 * z))  # longer vectors are no way out


def collapse(variance: VarianceHinge | None) -> float:
    """The mean pairwise cosine of what a small encoder makes of noise, after learning by this head's losses alone; the head
    learns slowly, without which it follows the encoder and holds it by itself."""
    generator = torch.Generator().manual_seed(0)
    head = JEPA(hidden=16, variance=variance).build(PLACE)
    initialize(head, 0)
    noise = torch.randn(8, 32, PLACE.width, generator=generator)
    first, second = (torch.randn(PLACE.width, PLACE.width, generator=generator) / PLACE.width**0.5 for _ in range(2))
    encoder = [first.requires_grad_(), torch.zeros(PLACE.width, requires_grad=True), second.requires_grad_()]
    optimizer = torch.optim.Adam([{"params": encoder, "lr": 0.02}, {"params": list(head.parameters()), "lr": 0.002}])
    seen = Context(torch.ones(8, 32, dtype=torch.long), None, torch.empty(0), torch.nn.Identity())
    for _ in range(150):
        z = torch.tanh(noise @ encoder[0] + encoder[1]) @ encoder[2]
        torch.stack(list(head.losses(z, seen).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return functional.normalize(z.detach().flatten(0, 1), dim=-1).mean(0).square().sum().item()


def test_the_hinge_prevents_collapse():
    assert collapse(None) > 0.9
    assert collapse(VarianceHinge()) < 0.1
