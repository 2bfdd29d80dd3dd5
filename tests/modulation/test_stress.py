"""Stress: always a number between 0 and 1, the same after a break as without one."""

from __future__ import annotations

import json
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetware.modulation import ConstantStress, LossStress, ShuffledStress

# whatever a float32 loss can be, and what is no number
losses = st.lists(st.floats(width=32) | st.floats(0.0, 12.0), max_size=40)
honest = st.builds(
    LossStress,
    fast=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    slow=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
    trend_share=st.floats(0.0, 1.0),
)
sources = honest | st.builds(ShuffledStress, stress=honest, seed=st.integers(0, 9))


def hear(tracker, values):
    heard = []
    for value in values:
        tracker.update(value)
        heard.append(tracker.value)
    return heard


@given(sources, losses)
def test_between_zero_and_one_whatever_is_heard(source, values):
    assert all(0.0 <= stress <= 1.0 for stress in hear(source.build(), values))


@given(sources, losses, st.integers(0, 40))
def test_interrupted_equals_uninterrupted(source, values, cut):
    whole, first, second = source.build(), source.build(), source.build()
    expected = hear(whole, values)
    heard = hear(first, values[:cut])
    second.load(json.loads(json.dumps(first.to_dict())))
    assert second.value == first.value
    assert heard + hear(second, values[cut:]) == expected
    assert json.dumps(second.to_dict()) == json.dumps(whole.to_dict())  # NaN is not equal to itself, its name is


@given(sources, losses)
def test_what_is_no_number_is_not_heard(source, values):
    plain, bothered = source.build(), source.build()
    expected = [stress for stress in hear(plain, [v for v in values if math.isfinite(v)])]
    heard = [stress for value, stress in zip(values, hear(bothered, values), strict=True) if math.isfinite(value)]
    assert heard == expected
    before = bothered.value
    assert hear(bothered, [math.nan, math.inf, -math.inf]) == [before] * 3


def test_neutral_before_anything_is_heard():
    assert LossStress().build().value == ConstantStress().build().value == 0.5


def test_the_first_losses_by_hand():
    """fast 1/2, slow 3/4; losses 4, 2, 3.2. After 2: fast 3, slow 3.5, variance 1/4 (2 - 3.5)^2 = 0.5625, lowest 3."""
    tracker = LossStress(fast=0.5, slow=0.75, trend_share=0.25).build()
    tracker.update(4.0)
    assert tracker.value == 0.25 * 0.5 + 0.75 * 1.0  # no trend yet, and as far from the best as at the start
    tracker.update(2.0)
    trend, level = 0.5 - 0.5 / (2 * 0.75), 0.5
    assert tracker.value == pytest.approx(0.25 * trend + 0.75 * level)
    tracker.update(3.2)
    fast, slow, variance = 3.1, 3.425, 0.75 * 0.5625 + 0.25 * (3.2 - 3.425) ** 2
    trend, level = 0.5 + (fast - slow) / (2 * math.sqrt(variance)), slow - 3.0
    assert tracker.value == pytest.approx(0.25 * trend + 0.75 * level)


def test_it_falls_while_the_loss_falls_and_rises_above_neutral_when_the_loss_climbs_out_of_its_past():
    tracker = LossStress().build()
    falling = hear(tracker, [6.0 - 0.01 * step for step in range(400)])
    resting = hear(tracker, [2.0 + 0.1 * (step % 3) for step in range(6000)])
    risen = hear(tracker, [3.0] * 40)
    assert falling[-1] < 0.5 < falling[0]
    assert risen[-1] > resting[-1] + 0.2


def test_shares():
    values = [5.0, 4.0, 3.0, 4.5, 2.0]
    trend, level, both = (hear(LossStress(trend_share=share).build(), values) for share in (1.0, 0.0, 0.5))
    assert both == pytest.approx([(t + l) / 2 for t, l in zip(trend, level, strict=True)])
    assert trend[-1] != pytest.approx(level[-1])


def test_the_control_hears_nothing():
    tracker = ConstantStress(value=0.8).build()
    assert hear(tracker, [9.0, 1.0, math.nan]) == [0.8] * 3
    again = ConstantStress(value=0.1).build()
    again.load(tracker.to_dict())
    assert again.value == 0.8


def test_what_is_saved_is_plain():
    tracker = LossStress().build()
    tracker.update(3.0)
    assert set(tracker.to_dict()) == {"value", "fast", "slow", "first", "lowest", "variance"}


def test_shuffled_stress_has_the_values_and_not_their_order():
    losses = [5.0 - 0.02 * step + 0.3 * math.sin(step) for step in range(300)]
    told = hear(LossStress().build(), losses)
    shuffled = hear(ShuffledStress().build(), losses)
    assert set(shuffled) <= set(told)
    assert len(set(shuffled)) > 100
    again = hear(ShuffledStress().build(), losses)
    other = hear(ShuffledStress(seed=1).build(), losses)
    assert shuffled == again != other
    assert abs(statistics.correlation(told[100:], shuffled[100:])) < 0.3
