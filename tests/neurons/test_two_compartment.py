"""Two compartments: the fast path against the equation, walked token by token; what a spike resets and what it does not."""

from __future__ import annotations

import math

import pytest
import torch

import wetware
from wetware.kernels.lif_scan.reference import soft_clamp, spike
from wetware.models.engines import ForwardEngine, engines
from wetware.neurons import (
    LIF,
    AttachedReset,
    DetachedReset,
    FastSigmoid,
    LearnedDecay,
    LogSpacedDecay,
    MeanPreserving,
    TwoCompartmentLIF,
    UniformDecay,
)
from wetware.neurons.two_compartment import TwoCompartmentState
from wetware.parameters import NEURON, initialize, role

SIZE, BATCH, STEPS = 7, 3, 29


def layer(size=SIZE, **fields):
    neurons = TwoCompartmentLIF(**fields).build(size=size)
    initialize(neurons, 0)
    return neurons.double()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def token_by_token(neurons, current, state, params, recurrent, keep):
    """The equation of TwoCompartmentLIF, one token after the other, as it is written there."""
    config, slow_decay, w = neurons.config, neurons.slow_decay(), neurons.slow_weight
    factor = config.normalise.factor if config.normalise else torch.ones_like
    width = config.surrogate.width(params.threshold)
    f, m, s = state.membrane - w * state.slow, state.slow, state.spikes
    spikes, membranes = [], []
    for t, now in enumerate(current.unbind(1)):
        f, m, s = (x * keep[:, t, None] for x in (f, m, s))
        f = params.decay * f + params.gain * factor(params.decay) * now + s @ recurrent
        m = slow_decay * m + params.gain * factor(slow_decay) * now
        pre = f + w * m
        s = spike(pre, params.threshold, width, config.surrogate.slope)
        through = config.reset.through * s + (1 - config.reset.through) * s.detach()
        whole = soft_clamp(pre - params.threshold * through, config.reset.bound)
        f = whole - w * m
        spikes.append(s)
        membranes.append(pre)
    return torch.stack(spikes, 1), torch.stack(membranes, 1), TwoCompartmentState(f + w * m, s, m)


def fast(neurons, *arguments):
    activity, state = neurons(*arguments)
    return activity.spikes, activity.membrane, state


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"normalise": None, "slow": UniformDecay(value=0.95)},
        {"decay": LogSpacedDecay(), "learned_decay": LearnedDecay(), "reset": AttachedReset(bound=2.0)},
        {"learned_slow": None, "weight": -0.4, "surrogate": FastSigmoid(slope=5.0), "normalise": MeanPreserving()},
    ],
    ids=["default", "as-published", "attached-bounded", "fixed-slow"],
)
def test_values_and_gradients_are_those_of_the_equation(fields):
    """With a state before, recurrence and a boundary: every output, and every gradient, of parameters and of what is given."""
    neurons = layer(**fields)
    with torch.no_grad():
        for index, parameter in enumerate(neurons.parameters()):
            parameter += 0.2 * noise(SIZE, seed=10 + index)
    keep = torch.ones(BATCH, STEPS).double()
    keep[1, 0] = keep[2, 13] = 0.0
    given = [
        2.0 * noise(BATCH, STEPS, SIZE),
        0.4 * noise(SIZE, SIZE, seed=1),
        noise(BATCH, SIZE, seed=2),
        noise(BATCH, SIZE, seed=3),
        1.0 + 0.1 * noise(SIZE, seed=4),
    ]
    last = (noise(BATCH, SIZE, seed=5) > 0).double()
    outcomes = []
    for walk in (fast, token_by_token):
        current, recurrent, membrane, slow, gain = inputs = [x.clone().requires_grad_() for x in given]
        params = neurons.params()._replace(gain=gain)
        state = TwoCompartmentState(membrane, last, slow)
        spikes, pre, after = walk(neurons, current, state, params, recurrent, keep)
        outputs = (spikes, pre, *after)
        total = sum((out * noise(*out.shape, seed=20 + index)).sum() for index, out in enumerate(outputs))
        gradients = torch.autograd.grad(total, [*inputs, *neurons.parameters()])
        outcomes.append([*outputs, *gradients])
    assert 0.05 < outcomes[0][0].detach().mean() < 0.6
    assert torch.equal(outcomes[0][0], outcomes[1][0])
    for mine, expected in zip(*outcomes, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-9, rtol=0)


def test_chunks_are_the_whole():
    neurons, current, recurrent = layer(), 2.0 * noise(2, 20, SIZE), 0.3 * noise(SIZE, SIZE, seed=1)
    keep = torch.ones(2, 20).double()
    keep[0, 11] = keep[1, 5] = 0.0
    whole, final = neurons(current, neurons.init_state(2), neurons.params(), recurrent, keep)
    state, spikes, membranes = neurons.init_state(2), [], []
    for first, stop in ((0, 1), (1, 5), (5, 11), (11, 20)):
        part, state = neurons(current[:, first:stop], state, neurons.params(), recurrent, keep[:, first:stop])
        spikes.append(part.spikes)
        membranes.append(part.membrane)
    assert torch.equal(torch.cat(spikes, 1), whole.spikes)
    torch.testing.assert_close(torch.cat(membranes, 1), whole.membrane, atol=1e-12, rtol=0)
    for mine, expected in zip(state, final, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-12, rtol=0)


def test_one_pulse_by_hand():
    """It fires once; the fast compartment loses a threshold, the slow one goes on as if nothing had happened."""
    neurons = layer(1, normalise=None, slow=UniformDecay(value=0.8), weight=0.5)
    current = torch.tensor([1.0, 0.0, 0.0]).double().reshape(1, 3, 1)
    activity, state = neurons(current, neurons.init_state(1), neurons.params(), None, None)
    # f before reset: 1, 0.5 (1 - 1) = 0, 0;  m: 1, 0.8, 0.64
    assert activity.spikes.flatten().tolist() == [1.0, 0.0, 0.0]
    expected = torch.tensor([1.0 + 0.5 * 1.0, 0.0 + 0.5 * 0.8, 0.0 + 0.5 * 0.64]).double()
    torch.testing.assert_close(activity.membrane.flatten(), expected)
    torch.testing.assert_close(state.slow.flatten(), torch.tensor([0.64]).double())


def test_without_weight_it_is_a_lif_neuron():
    fields = {"decay": LogSpacedDecay(), "learned_decay": LearnedDecay()}
    mine, lif = layer(weight=0.0, **fields), LIF(**fields).build(size=SIZE)
    initialize(lif, 0)
    current, recurrent = 2.0 * noise(2, 30, SIZE), 0.3 * noise(SIZE, SIZE, seed=1)
    one, _ = mine(current, mine.init_state(2), mine.params(), recurrent, None)
    two, _ = lif.double()(current, lif.init_state(2), lif.params(), recurrent, None)
    assert torch.equal(one.spikes, two.spikes) and one.spikes.mean() > 0.05
    torch.testing.assert_close(one.membrane, two.membrane)


def test_gradients_reach_back_as_far_as_the_slow_decay_does():
    """A LIF neuron of the same fast decay has forgotten a token 60 tokens later, 0.5 ** 60; this one has not."""
    reach = {}
    for name, neurons in (("two", layer(slow=UniformDecay(value=0.97))), ("lif", None)):
        if neurons is None:
            neurons = LIF(decay=UniformDecay(value=0.5)).build(size=SIZE)
            initialize(neurons, 0)
            neurons = neurons.double()
        current = noise(1, 61, SIZE).requires_grad_()
        activity, _ = neurons(current, neurons.init_state(1), neurons.params(), None, None)
        activity.membrane[:, -1].sum().backward()
        reach[name] = float(current.grad[:, 0].abs().mean())
    assert reach["lif"] < 1e-15
    assert reach["two"] == pytest.approx(0.1 * math.sqrt(1 - 0.97**2) * 0.97**60, rel=1e-5)


def test_where_slow_decays_start_and_what_is_learned():
    neurons = layer(9, slow=LogSpacedDecay(shortest=8.0, longest=128.0))
    decays = neurons.slow_decay().detach()
    assert decays[0].item() == pytest.approx(math.exp(-1 / 8)) and decays[-1].item() == pytest.approx(
        math.exp(-1 / 128)
    )
    assert {name for name, _ in neurons.named_parameters()} == {"log_threshold", "slow_shift", "slow_weight"}
    assert all(role(parameter) == NEURON for parameter in neurons.parameters())  # no weight decay
    assert {name for name, _ in layer(learned_slow=None).named_parameters()} == {"log_threshold", "slow_weight"}


def test_membranes_stay_in_float32_under_autocast():
    neurons = layer().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        activity, state = neurons(
            noise(2, 12, SIZE).bfloat16(), neurons.init_state(2), neurons.params(), None, torch.ones(2, 12).bfloat16()
        )
    assert {x.dtype for x in (*activity, *state)} == {torch.float32}


def test_a_real_sam_of_them_is_calibrated_and_generates_by_its_own_forward():
    config = wetware.with_(wetware.tiny("real_sam"), "block.neuron", "TwoCompartmentLIF")
    assert config.block.neuron == TwoCompartmentLIF(reset=DetachedReset())
    model = config.build()
    rates = model.calibrate(torch.arange(1, 65).reshape(4, 16), 0.2)
    assert all(abs(rate - 0.2) < 0.02 for rate in rates.values())
    assert isinstance(engines(model), ForwardEngine)
    assert "knows LIF neurons only, got TwoCompartmentLIF" in engines.explain(model)
