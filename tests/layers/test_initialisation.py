"""Initialisation by automata: which matrices, and what of the usual draw stays."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import wetware
from wetware.layers import NormalWeights, Rule30, Rule116
from wetware.parameters import MATRIX, NEURON, filled, initialize, normal, parameter

AUTOMATA = [Rule30(), Rule116()]


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = parameter(24, 16, draw=normal(0.3), role=MATRIX)
        self.other = parameter(24, 16, draw=normal(0.3), role=MATRIX)
        self.stack = parameter(3, 24, 16, draw=normal(2.0), role=MATRIX)
        self.zeros = parameter(24, 16, draw=filled(0.0), role=MATRIX)
        self.gains = parameter(24, 16, draw=normal(1.0), role=NEURON)
        self.column = parameter(1, 1, draw=normal(1.0), role=MATRIX)


def drawn(initialisation, seed=0):
    holder = nn.ModuleDict({"blocks": Parts(), "else": Parts()})
    initialize(holder, seed)
    initialisation.redraw(holder, seed, within="blocks.")
    return {path: tensor.detach().clone() for path, tensor in holder.named_parameters()}


@pytest.mark.parametrize("automaton", AUTOMATA)
def test_only_matrices_of_blocks_that_vary_are_changed(automaton):
    before, after = drawn(NormalWeights()), drawn(automaton)
    changed = {path for path in before if not torch.equal(before[path], after[path])}
    assert changed == {"blocks.matrix", "blocks.other", "blocks.stack"}


@pytest.mark.parametrize("automaton", AUTOMATA)
def test_two_values_with_the_moments_of_the_usual_draw(automaton):
    before, after = drawn(NormalWeights()), drawn(automaton)
    pairs = [
        (before["blocks.matrix"], after["blocks.matrix"]),
        *zip(before["blocks.stack"], after["blocks.stack"], strict=True),
    ]
    for usual, matrix in pairs:
        assert len(matrix.unique()) == 2
        assert abs(matrix.mean()) < 1e-6 and matrix.std().item() == pytest.approx(usual.std().item(), rel=1e-5)


def test_each_matrix_has_a_pattern_of_its_own_by_seed_and_path():
    one, again, other = drawn(Rule30()), drawn(Rule30()), drawn(Rule30(), seed=1)
    assert all(torch.equal(one[path], again[path]) for path in one)
    matrices = [one["blocks.matrix"], one["blocks.other"], *one["blocks.stack"], other["blocks.matrix"]]
    patterns = {(matrix > 0).numpy().tobytes() for matrix in matrices}
    assert len(patterns) == len(matrices)


@pytest.mark.parametrize("automaton", AUTOMATA)
def test_in_a_model(automaton):
    usual = wetware.tiny("bio_nanochat")
    config = replace(usual, initialisation=automaton)
    before, after, again = (dict(it.build(seed=5).named_parameters()) for it in (usual, config, config))
    assert before.keys() == after.keys()
    assert torch.equal(before["table"], after["table"])
    assert len(after["blocks.0.mlp.up.weight"].unique()) == 2
    assert all(torch.equal(after[path], again[path]) for path in after)
