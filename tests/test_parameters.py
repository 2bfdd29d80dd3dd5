"""Parameters: drawn by seed and path alone, from the distributions that their names say."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from wetware.parameters import (
    EMBEDDING,
    MATRIX,
    NEURON,
    constant,
    filled,
    hollow,
    initialize,
    keyed_generator,
    log_normal,
    log_spaced_decays,
    normal,
    orthogonal,
    parameter,
    role,
    stacked,
    through,
)


class Leaf(nn.Module):
    def __init__(self, *, with_constant=True):
        super().__init__()
        self.weight = parameter(5, 3, draw=normal(1.0))
        if with_constant:
            self.register_buffer("fixed", constant(4, draw=log_normal(0.5)))


class Tree(nn.Module):
    def __init__(self, *names, **keywords):
        super().__init__()
        self.parts = nn.ModuleDict({name: Leaf(**keywords) for name in names})


def drawn(module, seed=0):
    initialize(module, seed)
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def filled_by(draw, *shape, seed=0):
    tensor = torch.full(shape, math.nan)
    draw(tensor, keyed_generator(seed, "here"))
    return tensor


def test_taking_a_sibling_out_changes_nothing_else():
    whole, without = drawn(Tree("a", "b", "c")), drawn(Tree("a", "c"))
    assert without.keys() == {name for name in whole if ".b." not in name}
    assert all(torch.equal(tensor, whole[name]) for name, tensor in without.items())
    bare = drawn(Tree("c", "a", with_constant=False))
    assert all(torch.equal(tensor, whole[name]) for name, tensor in bare.items())


def test_paths_and_seeds_tell_draws_apart():
    whole, other = drawn(Tree("a", "b")), drawn(Tree("a", "b"), seed=1)
    assert not torch.equal(whole["parts.a.weight"], whole["parts.b.weight"])
    assert not torch.equal(whole["parts.a.fixed"], whole["parts.b.fixed"])
    assert not any(torch.equal(tensor, other[name]) for name, tensor in whole.items())


def test_the_same_seed_draws_the_same_and_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two = drawn(Tree("a"), seed=7), drawn(Tree("a"), seed=7)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


def test_seed_and_path_are_not_confused():
    draws = [torch.rand(4, generator=keyed_generator(*key)).tolist() for key in ((1, "1/a"), (11, "a"), (1, "a"))]
    assert len(set(map(tuple, draws))) == 3


def test_what_was_not_made_here_is_left_alone():
    module = nn.Module()
    module.plain = nn.Parameter(torch.full((2, 2), 5.0))
    module.register_buffer("count", torch.tensor(3))
    initialize(module, 0)
    assert (module.plain == 5.0).all() and module.count == 3


def test_the_meta_device_is_left_alone():
    with torch.device("meta"):
        module = Leaf()
    initialize(module, 0)
    assert module.weight.is_meta


def test_roles():
    assert role(parameter(2, 2, draw=filled(0.0))) == MATRIX
    assert role(parameter(2, draw=filled(0.0), role=NEURON)) == NEURON
    assert role(parameter(2, 2, draw=filled(0.0), role=EMBEDDING)) == EMBEDDING
    assert role(nn.Parameter(torch.zeros(2, 2))) == MATRIX
    assert role(nn.Parameter(torch.zeros(2))) == NEURON


def test_normal():
    values = filled_by(normal(0.02, mean=0.5), 200, 200)
    assert abs(float(values.mean()) - 0.5) < 5 * 0.02 / 200
    assert abs(float(values.std()) / 0.02 - 1) < 0.02


def test_log_normal_has_mean_one():
    for deviation in (0.1, 0.3, 1.0):
        values = filled_by(log_normal(deviation), 200_000)
        spread = math.sqrt(math.exp(deviation**2) - 1)
        assert abs(float(values.mean()) - 1.0) < 5 * spread / math.sqrt(200_000)
        assert abs(float(values.log().std()) / deviation - 1.0) < 0.02
        assert (values > 0).all()
    assert torch.equal(filled_by(log_normal(0.0), 5), torch.ones(5))


def test_orthogonal_without_its_diagonal():
    weight = filled_by(hollow(orthogonal(0.2)), 60, 60)
    assert (weight.diagonal() == 0).all()
    assert (weight[~torch.eye(60, dtype=bool)] != 0).all()
    # Orthogonal but for the diagonal, whose entries are of size 0.2 / sqrt(60): W W^T = 0.04 I up to twice that.
    torch.testing.assert_close(weight @ weight.T, 0.04 * torch.eye(60), atol=0.02, rtol=0)
    assert abs(float(torch.linalg.matrix_norm(weight, 2)) / 0.2 - 1.0) < 0.45
    assert abs(float(weight.norm()) / (0.2 * math.sqrt(59)) - 1.0) < 0.02
    assert not torch.equal(weight, filled_by(hollow(orthogonal(0.2)), 60, 60, seed=1))


def test_stacked_parts_are_drawn_one_after_the_other():
    """Each part by its own draw, no part the copy of another, all of it a function of the seed."""
    weight = filled_by(stacked(orthogonal(1.0), orthogonal(2.0), filled(3.0)), 15, 5)
    torch.testing.assert_close(weight[:5] @ weight[:5].T, torch.eye(5))
    torch.testing.assert_close(weight[5:10] @ weight[5:10].T, 4.0 * torch.eye(5))
    assert not torch.allclose(2.0 * weight[:5], weight[5:10])
    assert (weight[10:] == 3.0).all()
    assert torch.equal(weight, filled_by(stacked(orthogonal(1.0), orthogonal(2.0), filled(3.0)), 15, 5))


def test_orthogonal_draws_turn_as_often_as_they_mirror():
    """The QR of LAPACK alone gives one of the two only (for two rows: the mirrors, which are symmetric)."""
    draws = [filled_by(orthogonal(1.0), 2, 2, seed=seed) for seed in range(200)]
    mirrors = sum(bool(torch.isclose(draw[0, 1], draw[1, 0])) for draw in draws)
    assert 65 < mirrors < 135


def test_decays_are_spaced_evenly_in_the_logarithm():
    decays = filled_by(log_spaced_decays(2.0, 64.0), 11)
    constants = -1.0 / decays.double().log()
    assert decays[0] == pytest.approx(math.exp(-1 / 2.0)) and decays[-1] == pytest.approx(math.exp(-1 / 64.0))
    ratios = constants[1:] / constants[:-1]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 32 ** (1 / 10)), rtol=1e-4, atol=0)


def test_another_coordinate():
    assert float(filled_by(through(torch.logit, filled(0.9)), 1).sigmoid()) == pytest.approx(0.9)
    draw = normal(1.0)
    assert torch.equal(filled_by(through(torch.exp, draw), 7), filled_by(draw, 7).exp())
