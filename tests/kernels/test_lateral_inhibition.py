"""The formula of ``lateral_inhibition``, counted by hand."""

import torch

from wetware.kernels import lateral_inhibition


def test_neighbours_alone_inhibit_and_the_divisor_stays_at_the_ends():
    shares = torch.tensor([0.4, 0.1, 0.2, 0.0, 0.3])
    others = torch.tensor([0.1 + 0.2, 0.4 + 0.2 + 0.0, 0.4 + 0.1 + 0.0 + 0.3, 0.1 + 0.2 + 0.3, 0.2 + 0.0]) / 4
    for strength in (0.5, 0.0, -0.8):
        expected = shares * (1 - strength * others)
        expected /= expected.sum()
        # enough rows that a compiled backend takes them, where there is one
        made = lateral_inhibition(shares.expand(4, 2, 300, 5), torch.full((2,), strength), window=2)
        torch.testing.assert_close(made, expected.expand_as(made))


def test_a_row_without_any_share_has_no_answer_and_leaves_the_others_alone():
    shares = torch.full((2, 2, 300, 9), 1 / 9)
    shares[1, 0, 7] = 0.0
    made = lateral_inhibition(shares, torch.tensor([0.3, 0.0]), window=2)
    assert made[1, 0, 7].isnan().all()
    assert int(made.isnan().sum()) == 9
