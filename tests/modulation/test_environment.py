"""The environment: neutral at 0.5 to the last bit, and by its formula elsewhere."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.modulation import NEUTRAL, ConstantStress, Environment, LogNormalDiversity, LossStress, Signals
from wetware.neurons import NeuronParams
from wetware.parameters import initialize

PARAMS = NeuronParams(torch.tensor([0.5, 0.7, 0.9]), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.5, 0.7]))


def built(size=3, **fields):
    made = Environment(**fields).build(size=size)
    initialize(made, 0)
    return made


@given(st.floats(-2.0, 2.0), st.floats(-4.0, 4.0))
def test_neutral_stress_changes_no_bit(common, strength):
    made = built(common=common, diversity=LogNormalDiversity(strength=strength))
    assert torch.equal(made(PARAMS, NEUTRAL).gain, PARAMS.gain)


@pytest.mark.parametrize("stress", [0.0, 0.3, 0.9, 1.0])
def test_formula(stress):
    made = built(common=0.2, diversity=LogNormalDiversity(strength=0.6))
    changed = made(PARAMS, Signals(stress=stress))
    expected = [
        gain * (1 + 0.2 * (stress - 0.5) + 0.6 * (stress - 0.5) * (d - 1))
        for gain, d in zip(PARAMS.gain.tolist(), made.diversity.tolist(), strict=True)
    ]
    torch.testing.assert_close(changed.gain, torch.tensor(expected))
    assert changed.decay is PARAMS.decay and changed.threshold is PARAMS.threshold
    assert isinstance(changed, NeuronParams)


def test_under_stress_gains_spread_by_sensitivity_and_in_calm_the_other_way():
    made = built(2000)
    ones = NeuronParams(*(torch.ones(2000) for _ in range(3)))
    alarmed, calm = (made(ones, Signals(stress=stress)).gain for stress in (1.0, 0.0))
    order = made.diversity.argsort()
    assert (alarmed[order].diff() >= 0).all() and (calm[order].diff() <= 0).all()
    assert alarmed.mean().item() == pytest.approx(1.05, abs=0.02)  # common * 0.5; the diversity has mean 1
    assert calm.mean().item() == pytest.approx(0.95, abs=0.02)
    assert alarmed.std().item() == pytest.approx(0.5 * 0.5 * 0.307, rel=0.1)


def test_without_diversity_all_neurons_answer_alike():
    made = built(diversity=None)
    assert not dict(made.named_buffers())
    ratio = made(PARAMS, Signals(stress=1.0)).gain / PARAMS.gain
    torch.testing.assert_close(ratio, torch.full((3,), 1.05))


def test_diversity_is_saved_and_not_learned():
    made = built()
    assert list(made.parameters()) == [] and list(made.state_dict()) == ["diversity"]
    assert (built(diversity=LogNormalDiversity(deviation=0.0)).diversity == 1.0).all()


def test_its_stress():
    assert Environment().stress_source() == LossStress()
    assert Environment(stress=ConstantStress(value=0.7)).stress_source() == ConstantStress(value=0.7)


def test_stress_may_be_a_tensor():
    """A swept or learned stress needs no other code."""
    stress = torch.tensor(0.8, requires_grad=True)
    built()(PARAMS, Signals(stress=stress)).gain.sum().backward()
    assert stress.grad.abs() > 0
