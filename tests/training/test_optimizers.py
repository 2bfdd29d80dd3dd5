"""Optimizers: which parameter is moved how, and that a break changes no bit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import wetware
from wetware.config import with_
from wetware.parameters import EMBEDDING, MATRIX, NEURON, initialize, normal, parameter, role
from wetware.training import AdamW, MuonAdamW
from wetware.training.optimizers import gradient_norm, scale_gradients

KINDS = [AdamW(), MuonAdamW()]
each = pytest.mark.parametrize("config", KINDS, ids=lambda config: type(config).__name__)


class Small(nn.Module):
    """One parameter of each role."""

    def __init__(self):
        super().__init__()
        self.table = parameter(9, 4, draw=normal(1.0), role=EMBEDDING)
        self.weight = parameter(4, 4, draw=normal(1.0))
        self.decay = parameter(4, draw=normal(1.0), role=NEURON)
        self.unused = parameter(4, 4, draw=normal(1.0))
        initialize(self, 0)

    def learn(self, optimizers, step, factor=1.0):
        tokens = torch.randint(0, 9, (6,), generator=torch.Generator().manual_seed(step))
        ((self.table[tokens] @ self.weight * self.decay).square().sum() + self.weight.sum()).backward()
        optimizers.step(factor)
        optimizers.zero_grad()


def values(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def moved(model, before):
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


@each
@pytest.mark.parametrize("name", wetware.model_names())
def test_every_parameter_is_in_one_group(config, name):
    model = wetware.tiny(name).build()
    grouped = [p for member in config.build(model).members for group in member.param_groups for p in group["params"]]
    assert len(grouped) == len(set(grouped)) and set(grouped) == set(model.parameters())


@each
def test_groups_by_role(config):
    model = Small()
    groups = [group for member in config.build(model).members for group in member.param_groups]
    rates = {MATRIX: config.matrix, EMBEDDING: config.embedding, NEURON: config.neuron}
    assert len(set(rates.values())) == 3
    seen = []
    for group in groups:
        [name] = {role(p) for p in group["params"]}
        seen.append(name)
        assert group["base"] == group["lr"] == rates[name]
        assert group["weight_decay"] == (0.1 if name == MATRIX else 0.0)
    assert sorted(seen) == sorted((MATRIX, EMBEDDING, NEURON))


def test_muon_takes_the_matrices():
    muon, adam = MuonAdamW(momentum=0.9).build(Small()).members
    assert isinstance(muon, torch.optim.Muon) and isinstance(adam, torch.optim.AdamW)
    assert [role(p) for group in muon.param_groups for p in group["params"]] == [MATRIX, MATRIX]
    assert muon.param_groups[0]["momentum"] == 0.9


@each
def test_no_gradient_no_decay_of_neurons_and_embeddings(config):
    """With gradients of zero, weight decay alone moves the matrices, and nothing moves the others."""
    model = Small()
    before = values(model)
    optimizers = with_(config, "weight_decay", 0.5).build(model)
    for tensor in model.parameters():
        tensor.grad = torch.zeros_like(tensor)
    optimizers.step(1.0)
    assert moved(model, before) == {"weight", "unused"}
    torch.testing.assert_close(model.weight, before["weight"] * (1 - 0.5 * config.matrix))


@each
def test_a_parameter_without_gradient_is_left_alone(config):
    model = Small()
    before = values(model)
    optimizers = config.build(model)
    model.learn(optimizers, 0)
    assert moved(model, before) == {"table", "weight", "decay"}
    assert not any(name.startswith("unused") for name in optimizers.tensors())


@each
def test_a_break_changes_no_bit(config):
    whole = Small()
    steady = config.build(whole)
    for step in range(7):
        whole.learn(steady, step, factor=1.0 / (step + 1))

    first = Small()
    before_break = config.build(first)
    for step in range(3):
        first.learn(before_break, step, factor=1.0 / (step + 1))
    saved = {name: tensor.clone() for name, tensor in before_break.tensors().items()}
    second = Small()
    second.load_state_dict(first.state_dict())
    after_break = config.build(second)
    after_break.load(saved)
    for step in range(3, 7):
        second.learn(after_break, step, factor=1.0 / (step + 1))

    assert not moved(second, values(whole))
    mine, other = after_break.tensors(), steady.tensors()
    assert mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)

    forgetful = Small()  # and the moments do matter
    forgetful.load_state_dict(first.state_dict())
    fresh = config.build(forgetful)
    for step in range(3, 7):
        forgetful.learn(fresh, step, factor=1.0 / (step + 1))
    assert moved(forgetful, values(whole))


@each
def test_what_was_loaded_is_a_copy(config):
    model = Small()
    optimizers = config.build(model)
    model.learn(optimizers, 0)
    saved = {name: tensor.clone() for name, tensor in optimizers.tensors().items()}
    kept = {name: tensor.clone() for name, tensor in saved.items()}
    other = config.build(model)
    other.load(saved)
    model.learn(other, 1)
    assert all(torch.equal(saved[name], kept[name]) for name in kept)


def test_moments_are_named():
    model = Small()
    optimizers = MuonAdamW().build(model)
    assert optimizers.tensors() == {}
    model.learn(optimizers, 0)
    assert set(optimizers.tensors()) == {
        "weight|momentum_buffer",
        *(f"{name}|{moment}" for name in ("table", "decay") for moment in ("step", "exp_avg", "exp_avg_sq")),
    }


def test_the_first_step_of_adamw_by_hand():
    """Whatever its gradient's size, a parameter moves by its rate times the factor, against the sign."""
    model = Small()
    before = values(model)
    config = AdamW(matrix=0.1, embedding=0.2, neuron=0.3, weight_decay=0.5)
    for tensor in model.parameters():
        tensor.grad = torch.full_like(tensor, -1e-3)
    config.build(model).step(0.5)
    after = model.state_dict()
    torch.testing.assert_close(after["table"], before["table"] + 0.1, atol=1e-5, rtol=0)
    torch.testing.assert_close(after["decay"], before["decay"] + 0.15, atol=1e-5, rtol=0)
    torch.testing.assert_close(after["weight"], before["weight"] * (1 - 0.05 * 0.5) + 0.05, atol=1e-5, rtol=0)


@each
def test_factors_scale_the_base_and_do_not_pile_up(config):
    model = Small()
    optimizers = config.build(model)
    for factor in (0.5, 0.25, 1.0):
        model.learn(optimizers, 0, factor)
        for member in optimizers.members:
            assert all(group["lr"] == factor * group["base"] for group in member.param_groups)
    before = values(model)
    model.learn(optimizers, 1, factor=0.0)
    assert not moved(model, before)


@each
def test_gradients_are_let_go(config):
    model = Small()
    optimizers = config.build(model)
    for tensor in model.parameters():
        tensor.grad = torch.ones_like(tensor)
    optimizers.zero_grad()
    assert all(tensor.grad is None for tensor in model.parameters())


def test_muon_moves_every_direction_alike():
    """The update of a matrix is near orthogonal: all its singular values near one size, whatever the gradient's."""
    model = Small()
    before = model.weight.detach().clone()
    gradient = torch.diag(torch.tensor([1e2, 1.0, 1.0, 0.1])) @ torch.linalg.qr(before).Q
    model.weight.grad = gradient
    MuonAdamW(matrix=1.0, weight_decay=0.0).build(model).step(1.0)
    sizes = torch.linalg.svdvals(before - model.weight.detach())
    assert sizes.max() / sizes[:-1].min() < 2.0


# ------------------------------------------------------------------------------------------------------- gradient norm


def with_gradients(value):
    model = nn.Linear(300, 7)
    for tensor in model.parameters():
        tensor.grad = torch.full_like(tensor, value)
    return model


@pytest.mark.parametrize("value", [1.0, 1e30, 1e-30, 3e38])
def test_norm_neither_overflows_nor_underflows(value):
    """Squares of 1e30 are beyond float32."""
    assert gradient_norm(with_gradients(value)) == pytest.approx(value * math.sqrt(300 * 7 + 7), rel=1e-6)


def test_norm_of_no_gradients():
    assert gradient_norm(nn.Linear(3, 2)) == 0.0
    model = nn.Linear(3, 2)
    model.bias.grad = torch.tensor([3.0, 4.0])
    assert gradient_norm(model) == pytest.approx(5.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_norm_of_what_is_not_finite_is_not_finite(value):
    assert not math.isfinite(gradient_norm(with_gradients(value)))


def test_scaling():
    model = with_gradients(2.0)
    norm = gradient_norm(model)
    scale_gradients(model, 1.0 / norm)
    assert gradient_norm(model) == pytest.approx(1.0)
    partly = nn.Linear(3, 2)
    partly.bias.grad = torch.ones(2)
    scale_gradients(partly, 0.5)
    assert partly.bias.grad.tolist() == [0.5, 0.5] and partly.weight.grad is None
