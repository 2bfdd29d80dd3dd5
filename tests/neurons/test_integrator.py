"""The leaky integrator: its sum, what it forgets, and that it never fires."""

import torch

from wetware.neurons.integrator import integrated


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
