"""Cellular automata: the rule by hand, and what a matrix of rows is worth."""

import itertools

import pytest
import torch

from wetware.layers.cellular_automaton import cellular_automaton
from wetware.parameters import keyed_generator


def rows_of(rule, width, steps, fresh_every=None, seed=0):
    return cellular_automaton(rule, width, steps, keyed_generator(seed, "here"), fresh_every)


def spectrum(matrix):
    """Largest and smallest singular value and stable rank of a matrix brought to mean 0 and variance 2 / (rows + columns)."""
    matrix = matrix.double()
    matrix = (matrix - matrix.mean()) / matrix.std() * (2 / sum(matrix.shape)) ** 0.5
    values = torch.linalg.svdvals(matrix)
    return values[0].item(), values[-1].item(), (values.square().sum() / values[0] ** 2).item()


@pytest.mark.parametrize("rule", [30, 116])
def test_each_bit_follows_from_the_three_above(rule):
    rows = rows_of(rule, 23, 20).int().tolist()
    for above, below in itertools.pairwise(rows):
        by_hand = [rule >> (4 * above[i - 1] + 2 * above[i] + above[(i + 1) % 23]) & 1 for i in range(23)]
        assert below == by_hand


def test_rule_30_is_left_xor_self_or_right():
    rows = rows_of(30, 23, 20)
    assert torch.equal(rows[1:], rows[:-1].roll(1, 1) ^ (rows[:-1] | rows[:-1].roll(-1, 1)))


def test_the_generator_alone_decides():
    assert torch.equal(rows_of(30, 16, 9), rows_of(30, 16, 9))
    assert not torch.equal(rows_of(30, 16, 9), rows_of(30, 16, 9, seed=1))


def test_an_orbit_that_closes_is_left():
    """Rule 0 kills all bits at once; a row of zeros may stand once."""
    rows = rows_of(0, 40, 30)
    assert not rows[1].any()
    assert len(rows.unique(dim=0)) == 30


@pytest.mark.parametrize("rule", [-1, 256])
def test_other_rules_are_refused(rule):
    with pytest.raises(ValueError, match=f"rule = {rule}"):
        rows_of(rule, 4, 4)


def test_spectra_beside_a_normal_matrix():
    normal = spectrum(torch.empty(1024, 256).normal_(generator=keyed_generator(0, "normal")))
    thirty, cured = rows_of(30, 256, 1024), rows_of(116, 256, 1024, 2)
    assert len(thirty.unique(dim=0)) == len(cured.unique(dim=0)) == 1024
    largest, smallest, rank = spectrum(thirty)
    assert (
        abs(largest / normal[0] - 1) < 0.05 and abs(smallest / normal[1] - 1) < 0.1 and abs(rank / normal[2] - 1) < 0.1
    )
    largest, smallest, rank = spectrum(cured)
    assert largest < 1.1 * normal[0] and smallest > 0.75 * normal[1] and rank > 0.85 * normal[2]


def test_rule_116_alone_goes_round():
    """What the cure is for: with an occasional fresh row only, most rows are the one before, shifted."""
    rows = rows_of(116, 256, 250)
    pairs = list(itertools.pairwise(rows))
    shifted = sum(any(torch.equal(below, above.roll(by)) for by in (1, -1)) for above, below in pairs)
    assert shifted > 240
    assert spectrum(rows_of(116, 256, 1024))[1] < 0.4 * spectrum(rows_of(116, 256, 1024, 2))[1]
