import pytest
import torch
from torch.nn import functional

from wetware import DeepSupervision, HierarchicalRefinement

from .subjects import alone, context, part, vectors


def by_hand(trait, z, steps):
    """Token by token, with [D_h D_z] as one matrix."""
    down = torch.cat([trait.fc_hidden.weight, trait.fc_input.weight], 1)
    found = []
    for vector in z.flatten(0, 1):
        h = vector
        for _ in range(steps):
            normed = h / (h.square().mean() + torch.finfo(h.dtype).eps).sqrt()
            inner = down @ torch.cat([normed, vector])
            h = h + torch.tanh(trait.gate) * (trait.fc_out.weight @ (inner * torch.sigmoid(inner)))
        found.append(h)
    return torch.stack(found).view(z.shape)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_formula(steps):
    trait, z = alone(HierarchicalRefinement(steps=steps, rank=7)), vectors()
    torch.testing.assert_close(trait(z, (), context()).hidden, by_hand(trait, z, steps))


def test_a_position_knows_no_other():
    trait, z = alone(HierarchicalRefinement(rank=7)), vectors()
    seen = context(starts=((0, 4),))
    whole = trait(z, (), seen).hidden
    parts = [trait(z[:, a:b], (), part(seen, a, b)).hidden for a, b in ((0, 1), (1, 4), (4, 9))]
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_supervision_is_the_loss_of_the_steps_between():
    trait, z, seen = alone(HierarchicalRefinement(steps=3, rank=7)), vectors(), context(starts=((1, 3),))
    losses = trait(z, (), seen).losses
    expected = sum(
        functional.cross_entropy(
            seen.logits(by_hand(trait, z, steps))[:, :-1].flatten(0, 1), seen.tokens[:, 1:].flatten()
        )
        for steps in (1, 2)
    )
    torch.testing.assert_close(losses["supervision"], 0.3 * expected)
    with torch.no_grad():
        assert not trait(z, (), seen).losses


@pytest.mark.parametrize(("steps", "supervision"), [(1, DeepSupervision()), (3, None)])
def test_nothing_between_nothing_supervised(steps, supervision):
    config = HierarchicalRefinement(steps=steps, rank=7, supervision=supervision)
    assert not alone(config)(vectors(), (), context()).losses


def test_a_single_token_has_no_target():
    config = HierarchicalRefinement(rank=7)
    passed = alone(config)(vectors(steps=1).requires_grad_(), (), context(steps=1))
    assert passed.losses["supervision"] == 0
    passed.losses["supervision"].backward()
