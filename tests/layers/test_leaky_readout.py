"""The leaky readout against its formula."""

import torch

from wetware.layers import LeakyReadout
from wetware.parameters import initialize


def test_it_is_the_leaky_sum_and_forgets_at_a_boundary():
    made = LeakyReadout(start=0.3).build(size=5).double()
    initialize(made, 0)
    x = torch.randn(2, 9, 5, dtype=torch.float64, requires_grad=True)
    keep = torch.ones(2, 9, dtype=torch.float64)
    keep[1, 4] = 0.0
    state = torch.randn(2, 5, dtype=torch.float64)
    read, after = made(x, state, keep)
    expected, held = [], state
    for t in range(9):
        held = 0.3 * held * keep[:, t, None] + 0.7 * x[:, t]
        expected.append(held)
    torch.testing.assert_close(read, torch.stack(expected, 1))
    torch.testing.assert_close(after, held)
    weights = torch.randn_like(read)
    mine = torch.autograd.grad((read * weights).sum(), x)[0]
    theirs = torch.autograd.grad((torch.stack(expected, 1) * weights).sum(), x)[0]
    torch.testing.assert_close(mine, theirs)
