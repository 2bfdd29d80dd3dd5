"""Schedules and limits: factors by hand at the ends and between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wetware.training import Cosine, Minutes, Stable, Steps, Tokens

schedules = st.one_of(
    st.builds(Cosine, warmup=st.integers(0, 500), floor=st.floats(0.0, 1.0)),
    st.builds(Stable, warmup=st.integers(0, 500), floor=st.floats(0.0, 1.0), cooldown=st.floats(0.0, 1.0)),
)


@pytest.mark.parametrize("kind", [Cosine, Stable])
def test_warmup_rises_linearly_from_the_first_step(kind):
    schedule = kind(warmup=4)
    assert [schedule.factor(step, 0.0) for step in range(7)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])
    assert kind(warmup=0).factor(0, 0.0) == 1.0


def test_cosine():
    schedule = Cosine(warmup=0, floor=0.2)
    found = [schedule.factor(0, progress) for progress in (0.0, 1 / 3, 0.5, 2 / 3, 1.0)]
    assert found == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_stable():
    schedule = Stable(warmup=0, cooldown=0.4, floor=0.1)
    found = [schedule.factor(0, progress) for progress in (0.0, 0.3, 0.6, 0.7, 0.8, 1.0)]
    assert found == pytest.approx([1.0, 1.0, 1.0, 0.775, 0.55, 0.1])
    assert Stable(warmup=0, cooldown=0.0).factor(0, 1.0) == 1.0
    assert Stable(warmup=0, cooldown=1.0, floor=0.0).factor(0, 0.25) == 0.75


def test_warmup_multiplies_the_shape():
    assert Cosine(warmup=1, floor=0.0).factor(0, 0.5) == pytest.approx(0.25)


@given(schedules, st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_a_factor_lies_between_zero_and_one_past_the_end_too(schedule, step, progress):
    factor = schedule.factor(step, progress)
    assert 0.0 <= factor <= 1.0 + 1e-12
    assert progress < 1.0 or factor == schedule.factor(step, 1.0)


@given(schedules, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_after_warmup_it_never_rises(schedule, one, other):
    early, late = sorted((one, other))
    assert schedule.factor(1000, late) <= schedule.factor(1000, early) + 1e-12
    assert schedule.factor(1000, late) >= schedule.floor - 1e-12 or isinstance(schedule, Stable)


def test_limits():
    done = {"steps": 30, "tokens": 4000, "seconds": 90.0}
    assert Steps(count=120).progress(**done) == 0.25
    assert Tokens(count=8000).progress(**done) == 0.5
    assert Minutes(count=2.0).progress(**done) == 0.75
    assert Tokens(count=4000).progress(**done) == 1.0
    assert math.isclose(Minutes(count=1.0).progress(**done), 1.5)
