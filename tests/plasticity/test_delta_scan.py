"""What fast weights remember, by hand: recall is exact where theory says so, and interferes where it says so."""

import math

import pytest
import torch

from wetware.kernels import delta_scan

D = 16


def written(keys, values, rule, decay=0.0, keep=None, queries=None):
    """y and A of one sequence and head: keys [T, D], values [T, E], all written at full strength."""
    one = torch.ones(1, len(keys), 1, dtype=keys.dtype)
    erase = one if rule == "delta" else 0 * one
    state = torch.zeros(1, 1, keys.shape[1], values.shape[1], dtype=keys.dtype)
    asked = keys if queries is None else queries
    batch = [x[None, :, None] for x in (asked, keys, values)]
    out, state = delta_scan(*batch, state, math.log(0.5) * decay * one, erase, one, keep)
    return out[0, :, 0], state[0, 0]


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(0)
    keys, _ = torch.linalg.qr(torch.randn(D, D, generator=generator, dtype=torch.float64))
    return keys, torch.randn(D, D, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("rule", ["delta", "hebb"])
def test_orthonormal_keys_are_recalled_exactly(pairs, rule):
    keys, values = pairs
    _, state = written(keys, values, rule)
    torch.testing.assert_close(keys @ state, values)


def test_the_delta_rule_overwrites_where_hebb_adds_up(pairs):
    keys, values = pairs
    twice, new = torch.cat([keys, keys]), torch.cat([values, -3 * values])
    torch.testing.assert_close(keys @ written(twice, new, "delta")[1], -3 * values)
    torch.testing.assert_close(keys @ written(twice, new, "hebb")[1], -2 * values)


def test_keys_that_overlap_interfere_with_hebb_and_the_last_is_exact_by_the_delta_rule(pairs):
    keys, values = pairs
    near = torch.nn.functional.normalize(keys[0] + keys[1], dim=-1)
    both = torch.stack([keys[0], near])
    for rule, worst in (("delta", 1e-12), ("hebb", None)):
        error = (near @ written(both, values[:2], rule)[1] - values[1]).norm()
        assert error < worst if worst else error > 0.5 * values[0].norm() * math.sqrt(0.5)


def test_what_is_read_was_written_before(pairs):
    """A token does not find what it writes itself, and half of it is left a half life later."""
    keys, values = pairs
    same = keys[:1].expand(3, -1)
    out, _ = written(same, torch.stack([values[0], 0 * values[0], 0 * values[0]]), "hebb", decay=1.0)
    torch.testing.assert_close(out, torch.stack([0 * values[0], values[0], values[0] / 2]))


def test_a_boundary_forgets_before_it_is_read(pairs):
    keys, values = pairs
    keep = torch.ones(1, 4, dtype=keys.dtype)
    keep[0, 2] = 0
    out, _ = written(keys[:1].expand(4, -1), values[:4], "delta", keep=keep)
    torch.testing.assert_close(out, torch.stack([0 * values[0], values[0], 0 * values[0], values[2]]))


def test_a_chunk_cannot_blow_up():
    """Equal keys at full strength, the worst case of the triangular system, in float32; decays that underflow, too, where
    differences of logarithms have fewer digits."""
    keys = torch.nn.functional.normalize(torch.ones(200, D), dim=-1)
    values = torch.randn(200, D, generator=torch.Generator().manual_seed(0))
    for decay, within in ((0.0, 1e-4), (300.0, 1e-2)):
        out, state = written(keys, values, "delta", decay=decay)
        with delta_scan.using("reference"):
            same, left = written(keys, values, "delta", decay=decay)
        torch.testing.assert_close(out, same, atol=within, rtol=0)
        torch.testing.assert_close(state, left, atol=within, rtol=0)


def test_one_token_is_left_to_the_recurrence():
    one = torch.ones(1, 1, 1, 4)
    assert "one token" in delta_scan.explain(one, one, one, torch.zeros(1, 1, 4, 4), *[torch.zeros(1, 1, 1)] * 3)
