"""GradedLIF: LIF in everything but that what it sends is not binary, and its gradients are true."""

import pytest
import torch

import wetware
from wetware.neurons import LIF, AttachedReset, FastSigmoid, GradedLIF, RelativeFastSigmoid
from wetware.parameters import initialize


def layer(kind, size=6, **fields):
    neurons = kind(**fields).build(size=size)
    initialize(neurons, 0)
    return neurons.double()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def first_token(kind, **fields):
    """What neurons send at their first token, and its derivatives by the current and the logarithm of the threshold."""
    neurons, current = (
        layer(kind, size=401, threshold=0.7, normalise=None, **fields),
        torch.linspace(-5, 5, 401).double(),
    )
    current.requires_grad_()
    activity, _ = neurons(current[None, None], neurons.init_state(1), neurons.params(), None, None)
    (activity.spikes.sum()).backward()
    return activity.spikes[0, 0].detach(), current.grad, neurons.log_threshold.grad


@pytest.mark.parametrize("surrogate", [FastSigmoid(), RelativeFastSigmoid()])
def test_the_gradients_are_those_of_lif_and_the_outputs_between_its_two(surrogate):
    (spikes, *usual), (sent, *mine) = (first_token(kind, surrogate=surrogate) for kind in (LIF, GradedLIF))
    for a, b in zip(mine, usual, strict=True):
        torch.testing.assert_close(a, b)
    assert torch.equal(sent >= 0.5, spikes == 1) and ((sent > 0) & (sent < 1)).all()
    assert (sent.diff() > 0).all() and sent[0] < 0.1 and sent[-1] > 0.9


@pytest.mark.parametrize("slope", [0.7, 2.0, 9.0])
def test_gradients_are_the_true_ones(slope):
    """By finite differences, through time, recurrence and reset: what no spiking neuron can pass."""
    neurons = layer(GradedLIF, reset=AttachedReset(bound=3.0), surrogate=FastSigmoid(slope=slope))
    keep = torch.ones(2, 7).double()
    keep[1, 3] = 0

    def function(current, recurrent, decay_shift, log_threshold):
        named = {"decay_shift": decay_shift, "log_threshold": log_threshold}
        with torch.nn.utils.stateless._reparametrize_module(neurons, named):
            activity, state = neurons(current, neurons.init_state(2), neurons.params(), recurrent, keep)
        return activity.spikes, activity.membrane, *state

    arguments = (2.0 * noise(2, 7, 6), noise(6, 6, seed=1), 0.1 * noise(6, seed=2), 0.1 * noise(6, seed=3))
    assert torch.autograd.gradcheck(function, [x.requires_grad_() for x in arguments])


def test_an_output_is_never_quite_0_or_the_products_after_it_would_take_it_for_a_spike_that_is_absent():
    neurons = layer(GradedLIF).float()
    activity, _ = neurons(torch.full((1, 3, 6), -1e9), neurons.init_state(1), neurons.params(), None, None)
    assert (activity.spikes > 0).all()


def test_a_model_of_graded_neurons_is_calibrated_to_the_rate_at_which_membranes_cross():
    config = wetware.with_(wetware.tiny("real_sam"), "block.neuron", "GradedLIF")
    model, text = config.build(), torch.arange(1, 65).reshape(4, 16)
    assert all(abs(rate - 0.2) < 0.02 for rate in model.calibrate(text, 0.2).values())
    for layer in model(text).activity:
        assert abs(float((layer.spikes >= 0.5).float().mean()) - 0.2) < 0.02
        assert abs(float(((layer.spikes == 0) | (layer.spikes == 1)).float().mean())) < 1e-3
