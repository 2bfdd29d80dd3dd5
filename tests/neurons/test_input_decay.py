"""A decay set by the input: the walk against the equation, what is forgotten at a boundary, and the control without it."""

from __future__ import annotations

import pytest
import torch

import wetware
from wetware.kernels.lif_scan import spike
from wetware.neurons import DecayByInput, FastSigmoid, InputDecayNeuron, UniformDecay
from wetware.neurons.input_decay import InputDecayState
from wetware.parameters import initialize
from wetware.state import leaves

SIZE, BATCH, STEPS, TAPS = 5, 3, 17, 3


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def layer(size=SIZE, **fields):
    neurons = InputDecayNeuron(**{"by_input": DecayByInput(taps=TAPS), **fields}).build(size=size)
    initialize(neurons, 0)
    neurons = neurons.double()
    if neurons.taps:
        with torch.no_grad():
            neurons.kernel += 0.5 * noise(neurons.taps, size, seed=9)
    return neurons


def keep_mask():
    keep = torch.ones(BATCH, STEPS).double()
    keep[1, 0] = keep[2, 8] = 0.0
    return keep


def equation(neurons, current, state, params, recurrent, keep):
    """As in the docstring of InputDecayNeuron; a boundary empties the membrane, the spikes and the inputs before it."""
    width = neurons.config.surrogate.width(params.threshold)
    pre, s, inputs = state.membrane, state.spikes, list(state.inputs)
    all_pre, all_spikes = [], []
    for t, now in enumerate(current.unbind(1)):
        pre, s, *inputs = (x * keep[:, t, None] for x in (pre, s, *inputs))
        inputs = [params.gain * now, *inputs][:TAPS]
        logit = torch.log(params.decay / (1 - params.decay)) + sum(
            k * x for k, x in zip(neurons.kernel, inputs, strict=True)
        )
        a = torch.sigmoid(logit)
        pre = a * pre + (1 - a) * inputs[0] + (0.0 if recurrent is None else s @ recurrent)
        s = spike(pre, params.threshold, width, neurons.config.surrogate.slope)
        inputs = inputs[: TAPS - 1]
        all_pre.append(pre)
        all_spikes.append(s)
    return torch.stack(all_spikes, 1), torch.stack(all_pre, 1), InputDecayState(pre, s, tuple(inputs))


def walked(neurons, *arguments):
    activity, state = neurons(*arguments)
    return activity.spikes, activity.membrane, state


@pytest.mark.parametrize("recurrent", [True, False], ids=["recurrent", "feed-forward"])
def test_values_and_gradients_are_those_of_the_equation(recurrent):
    neurons = layer(threshold=0.4, surrogate=FastSigmoid(slope=3.0))
    given = [
        2.0 * noise(BATCH, STEPS, SIZE),
        noise(BATCH, SIZE, seed=2),
        *(noise(BATCH, SIZE, seed=3 + index) for index in range(TAPS - 1)),
        1.0 + 0.1 * noise(SIZE, seed=7),
        *([0.4 * noise(SIZE, SIZE, seed=1)] if recurrent else []),
    ]
    last = (noise(BATCH, SIZE, seed=5) > 0).double()
    outcomes = []
    for walk in (walked, equation):
        current, membrane, first, second, gain, *weights = inputs = [x.clone().requires_grad_() for x in given]
        params = neurons.params()._replace(gain=gain)
        state = InputDecayState(membrane, last, (first, second))
        spikes, pre, after = walk(neurons, current, state, params, weights[0] if weights else None, keep_mask())
        outputs = (spikes, pre, after.membrane, after.spikes, *after.inputs)
        total = sum((out * noise(*out.shape, seed=20 + index)).sum() for index, out in enumerate(outputs))
        outcomes.append([*outputs, *torch.autograd.grad(total, [*inputs, *neurons.parameters()])])
    assert 0.1 < outcomes[0][0].detach().mean() < 0.6
    for mine, expected in zip(*outcomes, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("taps", [1, 2, 6])
def test_chunks_are_the_whole_however_short(taps):
    """Chunks shorter than the convolution too."""
    neurons, current, keep = layer(by_input=DecayByInput(taps=taps)), 2.0 * noise(BATCH, STEPS, SIZE), keep_mask()
    recurrent = 0.3 * noise(SIZE, SIZE, seed=1)
    whole, final = neurons(current, neurons.init_state(BATCH), neurons.params(), recurrent, keep)
    state, membranes = neurons.init_state(BATCH), []
    for first, stop in ((0, 1), (1, 2), (2, 5), (5, 8), (8, 17)):
        part, state = neurons(current[:, first:stop], state, neurons.params(), recurrent, keep[:, first:stop])
        membranes.append(part.membrane)
    torch.testing.assert_close(torch.cat(membranes, 1), whole.membrane, atol=1e-12, rtol=0)
    for (_, mine), (_, expected) in zip(leaves(state), leaves(final), strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-12, rtol=0)


def test_without_it_every_neuron_averages_at_its_own_pace_and_no_spike_resets_it():
    neurons = layer(1, by_input=None, decay=UniformDecay(value=0.5), threshold=0.4)
    activity, state = neurons(torch.ones(1, 4, 1).double(), neurons.init_state(1), neurons.params(), None, None)
    torch.testing.assert_close(activity.membrane.flatten(), torch.tensor([0.5, 0.75, 0.875, 0.9375]).double())
    assert activity.spikes.all() and state.inputs == ()
    assert {name for name, _ in neurons.named_parameters()} == {"decay_shift", "log_threshold"}


def test_an_input_can_open_and_close_it():
    """A large input that drives the decay to 0 is taken over whole; one that drives it to 1 is not heard."""
    neurons = layer(2, by_input=DecayByInput(taps=1), decay=UniformDecay(value=0.5))
    with torch.no_grad():
        neurons.kernel.copy_(torch.tensor([[-50.0, 50.0]]))
    state = neurons.init_state(1)._replace(membrane=torch.tensor([[0.3, 0.3]]).double())
    activity, _ = neurons(torch.full((1, 1, 2), 2.0).double(), state, neurons.params(), None, None)
    torch.testing.assert_close(activity.membrane.flatten().detach(), torch.tensor([2.0, 0.3]).double())


def test_a_real_sam_of_them_is_calibrated():
    model = wetware.with_(wetware.tiny("real_sam"), "block.neuron", "InputDecayNeuron").build()
    rates = model.calibrate(torch.arange(1, 65).reshape(4, 16), 0.2)
    assert all(abs(rate - 0.2) < 0.02 for rate in rates.values())
