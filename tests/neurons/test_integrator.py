"""The leaky integrator: its sum, what it forgets, and that it never fires."""

import pytest
import torch

from wetware.config import kinds
from wetware.neurons import NeuronConfig
from wetware.neurons.integrator import integrated
from wetware.parameters import initialize


def test_it_is_the_leaky_sum_in_chunks_too():
    generator = torch.Generator().manual_seed(0)
    current, state = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 9, 3), (2, 3)))
    decay, gain = torch.tensor([0.2, 0.9, 0.999]).double(), torch.tensor([1.0, 0.5, 1e6]).double()
    keep = torch.ones(2, 9).double()
    keep[1, 5] = 0.0
    expected, x = [], state
    for t in range(9):
        x = decay * keep[:, t, None] * x + gain * current[:, t]
        expected.append(x)
    whole, last = integrated(current, state, decay, gain, keep)
    torch.testing.assert_close(whole, torch.stack(expected, 1), atol=1e-9, rtol=0)
    assert torch.equal(last, whole[:, -1])
    first, between = integrated(current[:, :4], state, decay, gain, keep[:, :4])
    second, _ = integrated(current[:, 4:], between, decay, gain, keep[:, 4:])
    torch.testing.assert_close(torch.cat([first, second], 1), whole, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["LIF", "TwoCompartmentLIF", "InputDecayNeuron"])
def test_a_sequence_may_have_a_gain_of_its_own(kind):
    """Then it does what it would do if all had it."""
    neurons = kinds(NeuronConfig)[kind]().build(size=4)
    initialize(neurons, 0)
    current = 2.0 * torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(0))
    gains = torch.tensor([[1.0, 0.5, 2.0, 1.5], [0.7, 1.2, 1.0, 3.0]])
    params = neurons.params()
    both, _ = neurons(current, neurons.init_state(2), params._replace(gain=gains), None, None)
    for row in range(2):
        one, _ = neurons(current[row : row + 1], neurons.init_state(1), params._replace(gain=gains[row]), None, None)
        torch.testing.assert_close(both.membrane[row], one.membrane[0], atol=1e-5, rtol=0)
    assert not torch.allclose(both.membrane[0], both.membrane[1])
