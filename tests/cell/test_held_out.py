import math

import numpy as np
import pytest
import torch
from scipy import stats

from wetware.cell import Expression
from wetware.cell.held_out import compare, fisher_interval, pearson, permutation_p
from wetware.data.files import DataError


def test_pearson():
    x, y = np.array([1.0, 2.0, 3.0, 5.0]), np.array([2.0, 1.0, 4.0, 3.0])
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic)
    assert pearson(x, 2 * x) == pytest.approx(1.0)
    assert pearson(np.full(4, 0.1), y) is None
    assert pearson(x, np.zeros(4)) is None
    assert pearson(x[:2], y[:2]) is None


def test_permutation_p_of_few_values_is_the_exact_share():
    """Of 24 orders of 1, 2, 3, 10, one alone correlates with 1, 2, 3, 10 as they do themselves."""
    x = np.array([1.0, 2.0, 3.0, 10.0])
    assert permutation_p(x, x, permutations=20_000) == pytest.approx(1 / 24, abs=0.01)
    assert permutation_p(-x, x, permutations=20_000) == pytest.approx(1.0, abs=0.01)
    assert permutation_p(np.ones(4), x) is None


def test_permutation_p_is_uniform_when_there_is_nothing_to_find():
    dice = np.random.default_rng(0)
    found = [permutation_p(dice.normal(size=20), dice.exponential(size=20), 199, seed) for seed in range(400)]
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_fisher_interval():
    low, high = fisher_interval(0.5, 28)
    assert (math.atanh(low), math.atanh(high)) == pytest.approx(
        (math.atanh(0.5) - 1.95996 / 5, math.atanh(0.5) + 1.95996 / 5), abs=1e-4
    )
    assert fisher_interval(0.5, 3) is None


def test_compare_by_hand():
    """One program of G1 and G2; true scores 1, 2, 3; the model says 1, 2, 2."""
    delta = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    truth = Expression(("G1", "G2"), ("A", "B", "C"), torch.zeros(2), delta, torch.ones(3), "synthetic")
    predicted = torch.tensor([[1.0, 1.0], [2.0, 2.0], [2.0, 2.0]])
    matrix = torch.tensor([[0.5, 0.5]])
    result = compare(truth, predicted, torch.tensor([2.0, 2.0]), torch.tensor([2.0]), matrix, ("p",))
    fit = result.programs[0]
    assert fit.r == pytest.approx(stats.pearsonr([1, 2, 2], [1, 2, 3]).statistic)
    assert fit.error == pytest.approx({"model": math.sqrt(1 / 3), "mean": math.sqrt(2 / 3), "zero": math.sqrt(14 / 3)})
    assert fit.r2 == pytest.approx({"model": 0.5, "mean": 0.0, "zero": -6.0})
    assert fit.genes == 2
    assert result.expression_error == pytest.approx(fit.error)
    assert (result.targets, result.source) == (3, "synthetic")
    constant = compare(truth, torch.zeros(3, 2), torch.zeros(2), torch.zeros(1), matrix, ("p",)).programs[0]
    assert (constant.r, constant.p, constant.interval) == (None, None, None)
    with pytest.raises(DataError, match="no held-out target"):
        compare(truth.only(()), predicted[:0], torch.zeros(2), torch.zeros(1), matrix, ("p",))
