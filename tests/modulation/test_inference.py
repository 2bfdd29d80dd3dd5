"""Stress in use: neutral, fixed, the last of training, or the surprise of the text."""

from __future__ import annotations

import math

import pytest
import torch

from wetware.modulation import (
    NEUTRAL,
    Environment,
    FixedStress,
    FrozenStress,
    LossStress,
    NeutralStress,
    Signals,
    SurpriseStress,
)
from wetware.neurons import NeuronParams
from wetware.parameters import initialize

PARAMS = NeuronParams(torch.tensor([0.5, 0.7, 0.9]), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.5, 0.7]))


def built(inference):
    made = Environment(inference=inference).build(size=3)
    initialize(made, 0)
    return made


@pytest.mark.parametrize("inference", [NeutralStress(), FrozenStress(), SurpriseStress(), FixedStress(value=0.5)])
def test_neutral_before_training(inference):
    assert torch.equal(built(inference)(PARAMS, NEUTRAL).gain, PARAMS.gain)


def test_a_stress_that_is_told_goes_before_any_of_its_own():
    told = Signals(stress=0.9)
    expected = built(NeutralStress())(PARAMS, told).gain
    for inference in (FixedStress(value=0.1), FrozenStress(), SurpriseStress()):
        assert torch.equal(built(inference)(PARAMS, told).gain, expected)


def test_fixed_is_that_number():
    made = built(FixedStress(value=0.9))
    assert torch.equal(made(PARAMS, NEUTRAL).gain, made(PARAMS, Signals(stress=0.9)).gain)


def test_frozen_remembers_the_last_of_training_and_keeps_it_with_the_weights():
    made, other = built(FrozenStress()), built(FrozenStress())
    assert made.remembers and not built(NeutralStress()).remembers
    made.remember(Signals(stress=0.75))
    made.remember(NEUTRAL)  # nobody told
    assert torch.equal(made(PARAMS, NEUTRAL).gain, made(PARAMS, Signals(stress=0.75)).gain)
    other.load_state_dict(made.state_dict())
    assert torch.equal(other(PARAMS, NEUTRAL).gain, made(PARAMS, NEUTRAL).gain)
    assert "resting" not in built(NeutralStress()).state_dict()


def test_each_sequence_may_have_its_own():
    made = built(NeutralStress())
    gains = made(PARAMS, Signals(stress=torch.tensor([0.2, 0.5, 1.0]))).gain
    assert gains.shape == (3, 3)
    for row, stress in zip(gains, (0.2, 0.5, 1.0), strict=True):
        torch.testing.assert_close(row, made(PARAMS, Signals(stress=stress)).gain)


def heard(surprise, expected, tokens, fresh=None):
    """The stress at each of ``tokens`` [T]; after each a model expects ``expected`` [T, V] (log-probabilities)."""
    state, told = surprise.init_state(1, expected.shape[1], torch.device("cpu")), []
    for step, token in enumerate(tokens):
        starts = None if fresh is None else torch.tensor([step in fresh])
        stress, state = surprise.hear(state, torch.tensor([token]), starts)
        state = state.expect(expected[step][None])
        told.append(float(stress))
    return told


@pytest.fixture
def expected():
    return torch.randn(12, 8, generator=torch.Generator().manual_seed(0)).mul(2.0).log_softmax(-1)


TOKENS = [1, 4, 2, 2, 7, 0, 3, 5, 5, 6, 1, 2]


def test_its_trend_is_that_of_training(expected):
    """The formula of LossStress, by another way of counting: of the same numbers the same trend."""
    told = heard(SurpriseStress(fast=0.8, slow=0.95, trend_share=1.0), expected, TOKENS)
    tracker = LossStress(fast=0.8, slow=0.95, trend_share=1.0).build()
    assert told[0] == 0.5
    for step, stress in enumerate(told[1:]):
        tracker.update(-float(expected[step, TOKENS[step + 1]]))
        assert stress == pytest.approx(tracker.value, abs=1e-5)
    assert len({round(stress, 3) for stress in told}) > 5


def test_its_level_by_hand(expected):
    told = heard(SurpriseStress(slow=0.5, trend_share=0.0), expected, TOKENS[:3])
    first, second = -float(expected[0, 4]), -float(expected[1, 2])
    level = lambda nats: min(1.0, nats / math.log(8))  # noqa: E731
    assert told == pytest.approx([0.5, level(first), level(0.5 * (first + second))], abs=1e-5)


def test_what_is_foreseen_is_calm_and_what_is_not_alarms():
    sure = torch.full((1, 8), -12.0).index_fill_(1, torch.tensor([3]), 0.0).log_softmax(-1).expand(40, 8)
    calm = heard(SurpriseStress(), sure, [3] * 40)
    wrong = heard(SurpriseStress(), sure, [3] * 38 + [0, 0])
    assert calm[-1] < 0.3 < 0.5 < wrong[-1]


def test_a_document_starts_afresh(expected):
    surprise = SurpriseStress()
    told = heard(surprise, expected, TOKENS, fresh={6})
    assert told[6:] == pytest.approx(heard(surprise, expected[6:], TOKENS[6:]), abs=1e-6)
    assert told[:6] == heard(surprise, expected, TOKENS)[:6]
