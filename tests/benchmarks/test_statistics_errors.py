"""A planted effect of known size is found and a planted null is declared equivalent: error rates over 1,000 studies."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from wetware.evaluation.statistics import Verdict, family, paired

STUDIES = 1000


def at_most(rate, allowed):
    """Not more than chance allows: exceeded once in 10,000 times by a rate that is ``allowed``."""
    return rate <= stats.binom.ppf(1 - 1e-4, STUDIES, allowed) / STUDIES


def at_least(rate, expected):
    return rate >= stats.binom.ppf(1e-4, STUDIES, expected) / STUDIES


@pytest.fixture(scope="module")
def simulated():
    return {}


@pytest.fixture
def found(bench, simulated, request):
    """1,000 studies of nine arms on six seeds, simulated once; by the same functions as in a report."""
    errors, name = bench("statistics_errors"), request.param
    setting = errors.Setting(tuple(0.01 * size for size in errors.PLANTED[name]))
    if name not in simulated:
        simulated[name] = errors.simulate(setting, STUDIES)
    return errors, setting, simulated[name]


@pytest.mark.parametrize("found", ["mixed", "all null"], indirect=True)
def test_no_more_false_positives_than_allowed(found):
    _, _, rates = found
    assert at_most(rates.any_false, 0.05)
    assert rates.any_false > 0.01  # the correction is not so strict that nothing could ever be found
    assert all(at_most(rate, 0.025) for rate in rates.wrong_way.values())


@pytest.mark.parametrize("found", ["mixed"], indirect=True)
def test_planted_effects_are_found(found):
    """As often as the power of the t test says, between Holm's strictest step and no correction."""
    errors, setting, rates = found
    for size in (0.005, 0.01, 0.02):
        low, high = errors.expected_power(setting, size)
        assert at_least(rates.found[size], low) and at_most(rates.found[size], high)
    assert rates.found[0.02] > 0.99 and rates.found[0.01] > 0.8


@pytest.mark.parametrize("found", ["mixed", "all null"], indirect=True)
def test_planted_nulls_are_declared_equivalent(found):
    errors, setting, rates = found
    low, high = errors.expected_equivalence(setting, 0.0)
    assert low > 0.85 and at_least(rates.equivalent[0.0], low) and at_most(rates.equivalent[0.0], high)


@pytest.mark.parametrize("found", ["mixed", "all at the margin"], indirect=True)
def test_effects_at_the_margin_are_not(found):
    _, _, rates = found
    assert at_most(rates.any_false_equivalence, 0.05) and rates.any_false_equivalence > 0.005


@pytest.mark.parametrize("found", ["mixed", "all null", "all at the margin"], indirect=True)
def test_student_covers(found):
    _, _, rates = found
    for rate in rates.t_coverage.values():
        assert at_least(rate, 0.95) and at_most(rate, 0.95)


def test_rates_are_counted_against_what_was_planted(bench):
    """Two studies of four arms whose verdicts are known."""
    errors = bench("statistics_errors")
    setting = errors.Setting((0.0, 0.0, 0.02, -0.02))
    wave = np.array([-5.0, -3, -1, 1, 3, 5]) / 1e3

    def study(*means):
        return family([paired(mean + wave, 0.01, resamples=0) for mean in means])

    studies = [study(0.0, 0.03, 0.02, -0.02), study(0.0, 0.0, -0.02, 0.0)]
    assert [[one.verdict for one in arms] for arms in studies] == [
        [Verdict.EQUIVALENT, Verdict.WORSE, Verdict.WORSE, Verdict.BETTER],
        [Verdict.EQUIVALENT, Verdict.EQUIVALENT, Verdict.BETTER, Verdict.EQUIVALENT],
    ]
    rates = errors.rates(setting, studies)
    assert (rates.any_false, rates.any_false_equivalence) == (0.5, 0.5)
    assert rates.found == {0.0: 0.25, 0.02: 0.5} and rates.wrong_way == {0.0: 0.0, 0.02: 0.25}
    assert rates.equivalent == {0.0: 0.75, 0.02: 0.25} and rates.t_coverage == {0.0: 0.75, 0.02: 0.5}


def test_noise_is_as_asked(bench):
    errors = bench("statistics_errors")
    for heavy in (False, True):
        setting = errors.Setting((0.0, 0.02), seeds=100_000, heavy=heavy)
        differences = errors.study(setting, np.random.default_rng(0))
        assert differences.std(axis=1) == pytest.approx([0.004] * 2, rel=0.1)
        assert differences.mean(axis=1) == pytest.approx([0.0, 0.02], abs=1e-4)
        assert np.corrcoef(differences)[0, 1] == pytest.approx(0.5, abs=0.1)  # they share the reference
        tails = stats.kurtosis(differences[0])
        assert tails > 1 if heavy else abs(tails) < 0.2


def test_everything_is_reported(bench, capsys):
    assert bench("statistics_errors").main(["--studies", "4", "--resamples", "99"]) == 0
    printed = capsys.readouterr().out
    results = json.loads(printed.strip().splitlines()[-1])["results"]
    assert len(results) == 6 and all(0 <= row["any_false"] <= 1 for row in results.values())
    assert all(math.isfinite(share) for row in results.values() for share in row["bca_coverage"].values())
    assert "any false better or worse" in printed and "heavy-tailed" in printed
    with pytest.raises(SystemExit):
        bench("statistics_errors").main(["--margin", "0"])
