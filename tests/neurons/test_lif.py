"""The LIF layer: where decays start, what is learned, how the input is normalised, in which precision it walks."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wetware.config import ConfigError, ablate, kinds
from wetware.kernels import lif_scan
from wetware.neurons import (
    LIF,
    AttachedReset,
    DetachedReset,
    FastSigmoid,
    LogSpacedDecay,
    MeanPreserving,
    RelativeFastSigmoid,
    UniformDecay,
    VariancePreserving,
)
from wetware.neurons.leaky import DecayStart
from wetware.neurons.normalise import InputNormalisation
from wetware.parameters import NEURON, initialize, role


def layer(size=8, **fields):
    made = LIF(**fields).build(size=size)
    initialize(made, 0)
    return made


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def walk(neurons, current, recurrent=None, keep=None):
    return neurons(current, neurons.init_state(len(current)), neurons.params(), recurrent, keep)


def test_log_spaced_ends():
    decay = layer(9, decay=LogSpacedDecay(shortest=2.0, longest=128.0)).params().decay.detach()
    assert decay[0].item() == pytest.approx(math.exp(-1 / 2), rel=1e-6)
    assert decay[-1].item() == pytest.approx(math.exp(-1 / 128), rel=1e-6)
    assert decay[4].item() == pytest.approx(math.exp(-1 / 16), rel=1e-6)
    assert (decay.diff() > 0).all()


def test_log_spaced_order():
    with pytest.raises(ConfigError, match="shortest = 9.0 exceeds longest = 8.0"):
        LogSpacedDecay(shortest=9.0, longest=8.0)
    assert layer(3, decay=LogSpacedDecay(shortest=8.0, longest=8.0)).params().decay.unique().numel() == 1
    assert layer(1).params().decay.item() == pytest.approx(math.exp(-1 / 2))


def test_uniform():
    torch.testing.assert_close(layer(decay=UniformDecay(value=0.7)).params().decay, torch.full((8,), 0.7))


@given(
    st.floats(0.01, 100.0),
    st.lists(st.floats(-6.0, 6.0), min_size=4, max_size=4),
    st.sampled_from(["start", "learned"]),
)
def test_whatever_is_learned_stays_in_range(threshold, shifts, decay):
    neurons = layer(4, threshold=threshold, **({"learned_decay": None} if decay == "start" else {}))
    with torch.no_grad():
        neurons.log_threshold.copy_(torch.tensor(shifts))
        if decay == "learned":
            neurons.decay_shift.copy_(torch.tensor(shifts))
    params = neurons.params()
    assert ((params.decay > 0) & (params.decay < 1)).all()
    assert (params.threshold > 0).all() and (params.gain == 1).all()
    torch.testing.assert_close(params.threshold.detach(), threshold * torch.tensor(shifts).exp())


def test_learned_decay_moves_along_the_logit():
    neurons = layer(2, decay=UniformDecay(value=0.5))
    with torch.no_grad():
        neurons.decay_shift.copy_(torch.tensor([math.log(3.0), -math.log(3.0)]))
    torch.testing.assert_close(neurons.params().decay.detach(), torch.tensor([0.75, 0.25]))


def test_a_decay_that_rounds_to_one_has_finite_gradients():
    """Otherwise one neuron that learned to forget nothing would make every later update NaN."""
    neurons = layer(3, decay=UniformDecay(value=0.9))
    with torch.no_grad():
        neurons.decay_shift[1] = 30.0
    assert neurons.params().decay[1] == 1.0
    activity, _ = walk(neurons, noise(2, 5, 3))
    activity.spikes.sum().backward()
    assert neurons.decay_shift.grad.isfinite().all() and neurons.log_threshold.grad.isfinite().all()


@pytest.mark.parametrize("path", ["learned_decay", "learned_threshold"])
def test_a_shift_of_zero_equals_no_shift(path):
    whole, without = layer(), LIF()
    without = ablate(without, path).build(size=8)
    initialize(without, 0)
    current, recurrent = 3.0 * noise(3, 20, 8), 0.3 * noise(8, 8, seed=1)
    (one, after), (two, later) = walk(whole, current, recurrent), walk(without, current, recurrent)
    assert torch.equal(one.membrane, two.membrane) and torch.equal(one.spikes, two.spikes)
    assert torch.equal(after.membrane, later.membrane) and one.spikes.mean() > 0.05
    assert len(list(without.parameters())) == len(list(whole.parameters())) - 1


def test_every_parameter_is_a_neurons_and_gets_a_gradient():
    neurons = layer()
    assert {name for name, _ in neurons.named_parameters()} == {"decay_shift", "log_threshold"}
    walk(neurons, noise(2, 9, 8))[0].spikes.sum().backward()
    for parameter in neurons.parameters():
        assert role(parameter) == NEURON and (parameter.grad != 0).all()


@pytest.mark.parametrize(
    "decay", [UniformDecay(value=0.3), UniformDecay(value=0.97), LogSpacedDecay(longest=64.0)], ids=repr
)
def test_white_input_of_variance_one_gives_a_membrane_of_variance_one(decay):
    """Whatever the decay. The threshold is out of reach."""
    neurons = layer(16, decay=decay, threshold=100.0)
    with torch.no_grad():
        activity, _ = walk(neurons, noise(64, 1200, 16))
    assert activity.spikes.sum() == 0
    variance = activity.membrane[:, 400:].square().mean((0, 1))
    # 64 x 800 tokens, of which one in about longest = 64 is independent: a deviation of 5 %
    assert ((variance - 1.0).abs() < 0.2).all(), variance


def test_without_normalisation_slow_neurons_are_driven_harder():
    neurons = layer(3, decay=LogSpacedDecay(shortest=1.0, longest=30.0), threshold=100.0, normalise=None)
    with torch.no_grad():
        activity, _ = walk(neurons, noise(64, 800, 3))
    expected = 1.0 / (1.0 - neurons.params().decay.square())
    variance = activity.membrane[:, 200:].square().mean((0, 1))
    assert ((variance / expected - 1.0).abs() < 0.2).all() and expected[2] > 10


def test_constant_input_gives_a_membrane_of_its_value():
    neurons = layer(8, threshold=100.0, normalise=MeanPreserving(), decay=LogSpacedDecay(longest=30.0))
    with torch.no_grad():
        activity, _ = walk(neurons, torch.full((1, 400, 8), 2.5))
    torch.testing.assert_close(activity.membrane[0, -1], torch.full((8,), 2.5), rtol=1e-4, atol=0)


def test_normalisation_follows_the_decay_that_is_used_not_the_one_it_started_from():
    """A modulated decay brings its own factor; the modulated gain multiplies it."""
    neurons = layer(2, threshold=100.0)
    params = neurons.params()._replace(decay=torch.tensor([0.6, 0.8]), gain=torch.tensor([1.0, 2.0]))
    activity, _ = neurons(torch.ones(1, 1, 2), neurons.init_state(1), params, None, None)
    torch.testing.assert_close(activity.membrane[0, 0].detach(), torch.tensor([0.8, 1.2]))


def test_the_parameters_given_are_the_parameters_used():
    neurons = layer(3, normalise=None)
    params = neurons.params()._replace(threshold=torch.tensor([0.5, 1.0, 2.0]))
    activity, state = neurons(torch.full((1, 1, 3), 1.5), neurons.init_state(1), params, None, None)
    assert activity.spikes[0, 0].tolist() == [1.0, 1.0, 0.0]
    torch.testing.assert_close(state.membrane[0].detach(), torch.tensor([1.0, 0.5, 1.5]))


def test_nothing_seen_yet():
    neurons = layer(5)
    state = neurons.init_state(3)
    assert state.membrane.shape == state.spikes.shape == (3, 5)
    assert not state.membrane.any() and not state.spikes.any()
    assert state.membrane.data_ptr() != state.spikes.data_ptr()


def test_membranes_stay_in_float32_under_autocast():
    neurons, current = layer(), noise(2, 12, 8)
    plain, _ = walk(neurons, current)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, state = walk(neurons, current, 0.1 * noise(8, 8, seed=1))
        again, _ = walk(neurons, current)
    assert low.membrane.dtype == low.spikes.dtype == state.membrane.dtype == torch.float32
    assert torch.equal(again.membrane, plain.membrane)
    half, _ = walk(neurons, current.bfloat16())
    double, _ = walk(neurons, current.double())
    assert half.membrane.dtype == torch.float32
    assert half.spikes.dtype == torch.float32  # sums over spikes are made in it; a product that wants less casts them
    assert double.membrane.dtype == torch.float64  # who asks for more gets more


def test_the_recurrent_product_stays_in_float32_under_autocast():
    """Measured against float64: bfloat16 would be off by about 1e-3."""
    neurons, current, recurrent = layer(), 3.0 * noise(2, 12, 8), noise(8, 8, seed=1)
    with lif_scan.using("reference"):
        exact, _ = walk(neurons, current.double(), recurrent)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low, _ = walk(neurons, current, recurrent)
    assert exact.spikes[:, :-1].sum() > 5
    torch.testing.assert_close(low.membrane.double(), exact.membrane, atol=1e-5, rtol=0)


def test_reset_and_surrogate_reach_the_kernel():
    """Each part of the neuron makes its own difference: to the membranes, or only to the gradients."""
    current = 2.0 * noise(2, 12, 8)

    def outcome(**fields):
        neurons = layer(threshold=2.0, **fields)
        activity, state = walk(neurons, current)
        (activity.spikes.sum() + state.membrane.sum()).backward()
        return activity.membrane.detach(), neurons.log_threshold.grad

    usual = outcome()
    for fields in (
        {"surrogate": FastSigmoid()},
        {"surrogate": RelativeFastSigmoid(slope=5.0)},
        {"reset": AttachedReset()},
    ):
        membrane, gradient = outcome(**fields)
        assert torch.equal(membrane, usual[0]) and not torch.allclose(gradient, usual[1])
    for fields in ({"reset": DetachedReset(bound=0.5)}, {"normalise": None}, {"decay": UniformDecay()}):
        assert not torch.allclose(outcome(**fields)[0], usual[0])


def test_slots():
    assert set(kinds(DecayStart)) == {"LogSpacedDecay", "UniformDecay"}
    assert set(kinds(InputNormalisation)) == {"VariancePreserving", "MeanPreserving"}
    assert LIF().normalise == VariancePreserving()
