"""Statistics against published figures, and against other ways to the same number."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from wetware.config import ConfigError
from wetware.evaluation.statistics import (
    Verdict,
    family,
    hedges,
    holm,
    interval,
    paired,
    verdict,
    written,
)

SLEEP = (
    1.2,
    2.4,
    1.3,
    1.3,
    0.0,
    1.0,
    1.8,
    0.8,
    4.6,
    1.4,
)  # additional hours under one drug minus the other, Student (1908)
SKEWED = (0.001, 0.002, 0.002, 0.004, 0.009, 0.021)


# ---------------------------------------------------------------------------------------------------------- one effect


def test_students_sleep_data():
    """t = 4.0621 with 9 degrees of freedom, p = .002833, interval .7001 to 2.4599: what every textbook prints."""
    effect = paired(SLEEP, margin=0.5)
    assert effect.p == pytest.approx(0.002833, abs=5e-7) == stats.ttest_1samp(SLEEP, 0).pvalue
    assert effect.interval == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    assert (effect.n, effect.mean) == (10, pytest.approx(1.58))
    assert effect.effect_size == pytest.approx(
        1.58 / 1.229995 * (1 - 3 / (4 * 9 - 1)), rel=1e-3
    )  # the usual approximation


def test_other_confidence_is_another_interval():
    expected = tuple(stats.ttest_1samp(SLEEP, 0).confidence_interval(0.9))
    assert paired(SLEEP, 0.5, confidence=0.9, resamples=0).interval == pytest.approx(expected)


@pytest.mark.parametrize("values", [SLEEP, SKEWED, (1.0, 1.0, -1.0), (0.7, -0.6, -0.8, 0.7, -0.9), (3.0,)])
def test_sign_flips_by_brute_force(values):
    """Also where flips tie with what was observed, and come out smaller in another order of summation."""
    observed = abs(math.fsum(values))
    sums = [abs(math.fsum(s * v for s, v in zip(signs, values, strict=True))) for signs in signs_of(len(values))]
    expected = sum(total >= observed - 1e-12 for total in sums) / len(sums)
    assert paired(values, 1.0, resamples=0).permutation_p == expected


def signs_of(n):
    return itertools.product((1, -1), repeat=n)


def test_many_seeds_draw_their_sign_flips():
    values = np.random.default_rng(3).normal(0.3, 1.0, 40)
    effect = paired(values, 1.0, resamples=0)
    assert effect.permutation_p == pytest.approx(effect.p, abs=0.015)  # 9999 draws; near normal, so near the t test
    assert effect.permutation_p > 0 and paired(values + 5, 1.0, resamples=0).permutation_p == 1 / 10_000


def test_equivalence_by_the_table_of_t():
    """t(.95; 5) = 2.015 and t(.975; 5) = 2.571: with a margin so many standard errors away p is .05 and .025."""
    values = np.array([-5, -3, -1, 1, 3, 5]) / 1e3
    error = values.std(ddof=1) / math.sqrt(6)
    for errors, p in ((2.015, 0.05), (2.571, 0.025)):
        assert paired(values, errors * error, resamples=0).equivalence_p == pytest.approx(p, abs=1e-4)
        assert paired(values + error, (errors + 1) * error, resamples=0).equivalence_p == pytest.approx(p, abs=1e-4)
        assert paired(values - error, (errors + 1) * error, resamples=0).equivalence_p == pytest.approx(p, abs=1e-4)


def test_equivalence_is_the_90_percent_interval_inside_the_margin():
    high = interval(SLEEP, 0.9).high
    assert paired(SLEEP, high + 1e-6, resamples=0).equivalence_p < 0.05 < paired(SLEEP, high - 1e-6).equivalence_p
    one_sided = stats.ttest_1samp(SLEEP, 2.0, alternative="less").pvalue
    assert paired(SLEEP, 2.0, resamples=0).equivalence_p == pytest.approx(one_sided)


@pytest.mark.parametrize("freedom", [1, 2, 5, 9, 200])
def test_hedges_factor(freedom):
    expected = (
        special.gamma(freedom / 2) / (math.sqrt(freedom / 2) * special.gamma((freedom - 1) / 2)) if freedom > 1 else 0
    )
    if freedom < 300:
        assert hedges(freedom) == pytest.approx(expected)
    assert hedges(freedom) == pytest.approx(1 - 3 / (4 * freedom - 1), abs=0.05)


def test_hedges_factor_mends_the_mean():
    draws = np.random.default_rng(0).normal(1.0, 1.0, (20_000, 6))
    plain = (draws.mean(1) / draws.std(1, ddof=1)).mean()
    assert plain > 1.15 and plain * hedges(5) == pytest.approx(1.0, abs=0.02)


def bca(values, confidence):
    """Efron (1987) with the whole bootstrap distribution: all n^n samples in place of draws."""
    values = np.array(values)
    n = len(values)
    means = np.sort(values[np.indices((n,) * n).reshape(n, -1)].mean(0))
    observed = values.mean()
    below = ((means < observed - 1e-12).mean() + (means <= observed + 1e-12).mean()) / 2
    left_out = np.array([np.delete(values, i).mean() for i in range(n)])
    apart = left_out.mean() - left_out
    skew = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    bias, ends = stats.norm.ppf(below), []
    for z in stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2]):
        ends.append(np.quantile(means, stats.norm.cdf(bias + (bias + z) / (1 - skew * (bias + z)))))
    return ends


def test_bootstrap_by_going_through_all_samples():
    effect = paired(SKEWED, 0.01, resamples=50_000)
    assert effect.bootstrap == pytest.approx(bca(SKEWED, 0.95), abs=2e-4) and effect.bootstrap_note == ""
    middle = (effect.bootstrap.low + effect.bootstrap.high) / 2
    assert middle > effect.mean + 1e-3  # it leans the way the data do, where Student's is even
    assert effect == paired(SKEWED, 0.01, resamples=50_000) != paired(SKEWED, 0.01, resamples=50_000, seed=1)


# ------------------------------------------------------------------------------------------------- where little is given


def test_equal_differences():
    """An arm that is the reference, to the bit; and one that always differs by the same."""
    same = paired([0.0] * 6, 0.01)
    assert same.interval == same.bootstrap == (0, 0) and (same.p, same.equivalence_p, same.permutation_p) == (1, 0, 1)
    assert "all differences are equal" in same.bootstrap_note and same.effect_size is None
    shifted = paired([2.3 - 2.2] * 3 + [2.4 - 2.3] * 3, 0.01)  # equal but for rounding
    assert (shifted.sd, shifted.p, shifted.equivalence_p) == (0, 0, 1) and shifted.interval.low == shifted.interval.high
    assert [one.verdict for one in family([same, shifted])] == ["equivalent", "worse"]


@given(st.lists(st.sampled_from([0.0, 1e-3, 1e-3 + 1e-13, -1e-3, 0.5, 1e-300]), min_size=2, max_size=5))
def test_never_nan(values):
    effect = paired(values, 0.01, resamples=50)
    numbers = [*effect.interval, *effect.bootstrap, effect.p, effect.permutation_p, effect.equivalence_p]
    assert all(map(math.isfinite, numbers)) and effect.interval.low <= effect.mean <= effect.interval.high
    assert all(-1e-9 <= p <= 1 for p in numbers[4:])


def test_where_bca_is_undefined_the_t_interval_stands_in(monkeypatch):
    ends = SimpleNamespace(low=math.nan, high=1.0)
    monkeypatch.setattr(stats, "bootstrap", lambda *_, **__: SimpleNamespace(confidence_interval=ends))
    effect = paired(SLEEP, 0.5)
    assert effect.bootstrap == effect.interval and "the t interval" in effect.bootstrap_note


def test_one_seed_decides_nothing():
    effect = paired([0.3], 0.01)
    assert effect[3:] == (None, 0.95, None, None, "one seed has no interval", None, 1.0, None, 0.01, None)
    assert family([effect])[0][1:] == (None, None, Verdict.UNDECIDED)


def test_what_is_refused():
    with pytest.raises(ConfigError, match="at least one seed"):
        paired([], 0.01)
    with pytest.raises(ConfigError, match=r"differences\[1\] = nan, \[2\] = -inf"):
        paired([0.1, math.nan, -math.inf], 0.01)
    with pytest.raises(ConfigError, match="margin = 0 is out of range"):
        paired([0.1, 0.2], 0)
    with pytest.raises(ConfigError, match="confidence = 95 is out of range"):
        paired([0.1, 0.2], 0.1, confidence=95)
    with pytest.raises(ConfigError, match="p = nan is out of range"):
        holm([0.1, math.nan])


# ------------------------------------------------------------------------------------------------------------- families


def test_holm_by_the_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([None, 0.01, 0.04, None, 0.03, 0.005])[::3] == [None, None]
    assert holm([None, 0.01, 0.04, 0.03, 0.005])[1:] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1))
def test_holm_keeps_order_and_stays_below_bonferroni(p_values):
    adjusted = holm(p_values)
    assert all(p <= a <= min(1, len(p_values) * p) + 1e-12 for p, a in zip(p_values, adjusted, strict=True))
    assert [adjusted[i] for i in np.argsort(p_values, kind="stable")] == sorted(adjusted)


def around(mean, sd):
    """Six differences of exactly that mean and standard deviation."""
    values = np.array([-5.0, -3, -1, 1, 3, 5])
    return paired(mean + sd * values / values.std(ddof=1), 0.01, resamples=0)


@pytest.mark.parametrize(
    ("mean", "sd", "word"),
    [
        (0.02, 0.004, "worse"),
        (-0.02, 0.004, "better"),
        (0.0, 0.004, "equivalent"),
        (0.004, 0.001, "worse, by less than the margin"),
        (-0.004, 0.001, "better, by less than the margin"),
        (0.0, 0.02, "undecided"),
        (0.009, 0.02, "undecided"),
    ],
)
def test_verdicts(mean, sd, word):
    assert family([around(mean, sd)])[0].verdict == word


def test_a_family_is_corrected_in_both_tests():
    """Alone .02 and .03 are found and shown; among others as strong the larger p must still be below .05, times how many."""
    found, shown = around(0.0063, 0.005), around(0.0, 0.009)
    assert family([found])[0].p < 0.05 and family([shown])[0].equivalence_p < 0.05
    assert family([found])[0].verdict == "worse" and family([shown])[0].verdict == "equivalent"
    several = family([found] * 3 + [shown] * 6)
    assert several[0].p == pytest.approx(9 * found.p) and several[0].verdict == "undecided"
    assert several[-1].equivalence_p == pytest.approx(9 * shown.equivalence_p) and several[-1].verdict == "undecided"


def test_a_verdict_at_alpha_itself_and_at_another():
    effect = around(0.02, 0.004)
    assert verdict(effect, 0.05, None) == "worse" and verdict(effect, 0.0501, 0.05) == "equivalent"
    assert verdict(effect, 0.04, None, alpha=0.01) == "undecided"


def test_p_in_words():
    assert [written(p) for p in (None, 0.0, 0.0312, 0.28, 1.0)] == ["no p", "p < .001", "p = .031", "p = .28", "p = 1"]
