"""The power of the tests against published tables, and what is said of a study."""

import math

import pytest

from wetware.config import ConfigError
from wetware.evaluation.power import detectable, equivalence_power, limits, power, seeds_for, smallest_permutation_p
from wetware.evaluation.statistics import paired


@pytest.mark.parametrize(
    ("d", "wanted", "seeds"), [(0.2, 0.8, 199), (0.5, 0.8, 34), (0.8, 0.8, 15), (1.0, 0.8, 10), (0.5, 0.95, 54)]
)
def test_power_tables(d, wanted, seeds):
    """Pairs for a two-sided t test at .05, as G*Power and Cohen's tables have them."""
    assert seeds_for(d, wanted) == seeds_for(-d, wanted) == seeds
    assert power(seeds - 1, d) < wanted <= power(seeds, d)


@pytest.mark.parametrize("n", [2, 3, 6, 10, 100])
def test_what_is_detectable_is_found_with_that_power(n):
    assert power(n, detectable(n)) == pytest.approx(0.8) and power(n, detectable(n, 0.9, 0.01), 0.01) == pytest.approx(
        0.9
    )
    assert power(n, 0.0) == pytest.approx(0.05)


def test_power_of_equivalence():
    """Sample size table of bioequivalence: CV .3, ratio .95, limits .8 to 1.25, 40 subjects in a crossover, power .815845.
    The crossover has 38 degrees of freedom, as 39 pairs have, and standard error sqrt(2 log(1 + CV^2) / 40)."""
    error = math.sqrt(2 * math.log(1.09) / 40)
    found = equivalence_power(39, error * math.sqrt(39), math.log(1.25), effect=math.log(0.95))
    assert found == pytest.approx(0.815845, abs=1e-6)
    assert equivalence_power(6, 0.004, 0.01, effect=-0.01) == pytest.approx(0.05, abs=1e-6)  # at the margin: alpha
    assert equivalence_power(6, 1.0, 0.01) < 1e-4 and equivalence_power(6, 0.0, 0.01) == 1


def test_smallest_permutation_p_is_reached():
    for n in (1, 3, 6):
        assert paired([0.1] * (n - 1) + [0.2], 1.0, resamples=0).permutation_p == smallest_permutation_p(n)


def test_limits_of_a_study():
    text = " ".join(limits(6, 9, sd=0.004, margin=0.01))
    assert (
        "below .031 (2 in 2^6)" in text and "smallest p is .28: it cannot ever reach .05, which takes 9 seeds" in text
    )
    assert "1.43 standard deviations" in text and "2.40 at Holm's" in text and "an effect of 0.0057 and 0.0096" in text
    assert "could have been shown" in text and "probability .87 or more" in text
    noisy = " ".join(limits(6, 9, sd=0.012, margin=0.01))
    assert "could not be counted on" in noisy and "takes 25 seeds" in noisy
    assert (
        equivalence_power(25, 0.012, 0.01, alpha=0.05 / 9) >= 0.8 > equivalence_power(24, 0.012, 0.01, alpha=0.05 / 9)
    )


def test_limits_of_other_studies():
    assert "below .25" in limits(3, 1)[0] and "It cannot reach .05" in limits(3, 1)[1]
    assert "It can reach .05" in limits(6, 1)[1] and "it can still reach .05, at its smallest .018" in limits(10, 9)[1]
    assert limits(1, 5, sd=0.1, margin=0.01) == [limits(1, 5)[0]] and "no verdict" in limits(1, 5)[0]
    assert "takes more than" in limits(6, 9, sd=1.0, margin=1e-5)[-1]
    planned = limits(6, 9, margin=0.01)[-1]
    assert "is 0.0043 or less" in planned and equivalence_power(6, 0.0043, 0.01, alpha=0.05 / 9) > 0.8


def test_what_is_refused():
    with pytest.raises(ConfigError, match="n = 1 seeds: allowed 2 or more"):
        power(1, 1.0)
    with pytest.raises(ConfigError, match=r"\|d\| = 0 is out of range"):
        seeds_for(0)
    with pytest.raises(ConfigError, match="d = 1e-06 takes more than"):
        seeds_for(1e-6)
