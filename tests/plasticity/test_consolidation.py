"""Slow weights move by the rule alone, only when it is due, as far as it says, and never while a model reads."""

from dataclasses import replace

import pytest
import torch

import wetware
from wetware import Consolidation, DualWeights, FastWeights, RandomDirection
from wetware.plasticity import Between
from wetware.training import cross_entropy

TEXT = torch.randint(1, 67, (2, 30), generator=torch.Generator().manual_seed(0))
PATH = "blocks.0.memory"


def model_of(**fields):
    memory = FastWeights(dual=DualWeights(consolidation=Consolidation(**{"every": 2, "rate": 0.1} | fields)))
    return replace(wetware.BioNanochat.tiny(), memory=memory).build(seed=1)


def slow(model):
    return model.blocks[0].memory.dual.matrix


def between(model, step, seed=0, shares=(1.0,)):
    told = model(TEXT).evidence[PATH]
    return Between(step, seed, tuple((share, told) for share in shares), lambda parameter: {})


def test_evaluation_changes_no_bit_and_makes_no_evidence():
    model = model_of()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        assert not model(TEXT).evidence
    assert model(TEXT).evidence.keys() == model.rules().keys() >= {PATH, "blocks.1.memory"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_it_moves_when_due_toward_what_was_held():
    model = model_of()
    rule = model.rules()[PATH]
    assert rule.apply(between(model, 1)) == [] and slow(model).abs().max() == 0
    (event,) = rule.apply(between(model, 2))
    held = between(model, 2).evidence[0][1].matrix
    assert not held.requires_grad and held.abs().max() > 0
    limited = held / held.norm(dim=(-2, -1), keepdim=True).clamp_min(1.0)
    torch.testing.assert_close(slow(model).detach(), 0.1 * limited)
    assert event["what"] == "consolidated" and event["moved"] == pytest.approx(float(slow(model).detach().norm()))


def test_no_step_is_longer_than_the_limit():
    model = model_of(limit=1e-3)
    model.rules()[PATH].apply(between(model, 2))
    torch.testing.assert_close(slow(model).detach().norm(dim=(-2, -1)), torch.full((2,), 1e-4))


def test_parts_of_a_batch_count_by_their_share():
    whole, parts = model_of(), model_of()
    whole.rules()[PATH].apply(between(whole, 2))
    parts.rules()[PATH].apply(between(parts, 2, shares=(0.25, 0.75)))
    torch.testing.assert_close(slow(whole), slow(parts))


def test_the_control_goes_as_far_in_another_direction():
    toward, others = model_of(), [model_of(direction=RandomDirection()) for _ in range(4)]
    toward.rules()[PATH].apply(between(toward, 2))
    for model, (step, seed) in zip(others, ((2, 0), (2, 0), (2, 5), (4, 0)), strict=True):
        model.rules()[PATH].apply(between(model, step, seed))
    length = slow(toward).detach().norm(dim=(-2, -1))
    for other in others:
        torch.testing.assert_close(slow(other).detach().norm(dim=(-2, -1)), length)
        cosine = torch.cosine_similarity(slow(other).detach().flatten(), slow(toward).detach().flatten(), 0)
        assert abs(float(cosine)) < 0.2
    assert torch.equal(slow(others[0]), slow(others[1]))
    assert not any(torch.equal(slow(others[0]), slow(other)) for other in others[2:])
    layers = [block.memory.dual.layer for block in others[0].blocks]
    assert layers[0] != layers[1]


def test_latched_heads_alone_are_consolidated():
    memory = model_of().blocks[0].memory
    matrix = torch.ones(3, 2, 16, 16)
    held = memory.evidence(matrix, torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.5, 0.0]]))
    torch.testing.assert_close(held.matrix, torch.tensor([0.5, 0.0])[:, None, None].expand(2, 16, 16))


def test_training_moves_slow_weights_by_gradient_too():
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        cross_entropy(model(TEXT[:, :-1]).logits, TEXT[:, 1:]).backward()
        optimizer.step()
    assert slow(model).abs().max() > 0
