"""Wilson intervals: SciPy's, and published ones."""

import pytest
from scipy.stats import binomtest

from wetware.evaluation.shares import wilson


@pytest.mark.parametrize(("correct", "questions"), [(0, 10), (3, 10), (250, 256), (64, 64)])
def test_wilson_is_scipys(correct, questions):
    interval = binomtest(correct, questions).proportion_ci(0.95, "wilson")
    assert wilson(correct, questions) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_wilson_as_published():
    """Newcombe, 1998: 81 of 263, 0 of 20, 1 of 29."""
    assert wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=1e-4)
    assert wilson(0, 20) == pytest.approx([0.0, 0.1611], abs=1e-4)
    assert wilson(1, 29) == pytest.approx([0.0061, 0.1718], abs=1e-4)
    assert wilson(5, 5)[1] == 1.0
    with pytest.raises(ValueError, match="count = 0"):
        wilson(0, 0)
