"""The noise of generation: known numbers, evenly spread, and one number says nothing about its neighbours."""

from __future__ import annotations

import math

import pytest
import torch

from wetware.models.dice import Dice

KEYS = [0, 8841707400507832957, 3528034841101151585]
NOISE = [[-0.24657855706154092, 0.3814104713098085], [-1.055031662718763, -0.6235677409145365]]


def uniform(noise):
    """The uniform numbers that Gumbel noise was made of."""
    return torch.exp(-torch.exp(-noise))


def many(along, count):
    """``count`` uniform numbers that differ only in what is named."""
    if along == "tokens":
        return uniform(Dice(7).noise(1, count))[0]
    if along == "rows":
        return uniform(Dice(7).noise(count, 3))[:, 1]
    if along == "draws":
        dice = Dice(7)
        return torch.cat([uniform(dice.noise(1, 3))[:, 1] for _ in range(count)])
    return torch.cat([uniform(Dice(seed).noise(1, 3))[:, 1] for seed in range(count)])


ALONG = ("tokens", "draws", "rows", "seeds")


@pytest.mark.parametrize("along", ALONG)
def test_evenly_spread(along):
    """Chi-square over 64 equal bins, and over the low bits (of which a poor hash makes patterns): mean 63, deviation 11."""
    values = many(along, 6400)
    low = (values * 2.0**32).long() & 63
    for bins in ((values * 64).long(), low):
        counts = torch.bincount(bins, minlength=64).double()
        assert 63 - 4 * 11.2 < float(((counts - 100.0).square() / 100.0).sum()) < 63 + 4 * 11.2


@pytest.mark.parametrize("along", ALONG)
def test_neighbours_say_nothing(along):
    values = many(along, 6400) - 0.5
    for distance in (1, 2, 3, 4, 8, 16, 64):
        pairs = values[:-distance] * values[distance:] * 12.0
        assert abs(float(pairs.mean())) < 4.5 / math.sqrt(len(pairs)), distance


def test_tokens_of_neighbouring_draws_rows_and_seeds_say_nothing_of_each_other():
    dice = Dice(3)
    first, second = (uniform(dice.noise(2, 6400)) - 0.5 for _ in range(2))
    other = uniform(Dice(4).noise(1, 6400)) - 0.5
    for a, b in ((first[0], second[0]), (first[0], first[1]), (first[1], second[0]), (first[0], other[0])):
        for shift in (0, 1, -1):
            assert abs(float((a * b.roll(shift) * 12.0).mean())) < 4.5 / 80.0


def test_the_noise_is_gumbel():
    """Mean is Euler's constant, variance pi^2 / 6."""
    noise = Dice(11).noise(1, 100_000)
    assert noise.dtype == torch.float64
    assert abs(float(noise.mean()) - 0.5772) < 5 * 1.28 / 316 and abs(float(noise.var()) - math.pi**2 / 6) < 0.06


def test_the_largest_is_a_draw_from_the_softmax():
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    rows = Dice(5).noise(20_000, 4) + logits
    found = torch.bincount(rows.argmax(1), minlength=4) / 20_000
    torch.testing.assert_close(found, logits.softmax(0), atol=5 * 0.5 / 20_000**0.5, rtol=0)


def test_what_a_number_depends_on():
    """Seed, draw, row and token; not on how many rows or tokens there are."""
    whole = Dice(5).noise(4, 50)
    assert torch.equal(Dice(5).noise(2, 20), whole[:2, :20])
    assert len(whole.unique()) == whole.numel()
    dice = Dice(5)
    dice.noise(1, 1)
    later = dice.noise(4, 50)
    assert not (later == whole).any() and dice.draws == 2
    dice.reseed(5)
    assert torch.equal(dice.noise(4, 50), whole)
    assert torch.equal(Dice(5 - 2**64).noise(4, 50), whole)


def test_a_later_draw_is_not_another_seed():
    """Text 0 would follow text 1, one token behind."""
    dice = Dice(0)
    keys = []
    for dice.draws in range(20):
        keys.append(dice.key(0))
    assert not {Dice(seed).key(0) for seed in range(1, 40)} & set(keys) and len(set(keys)) == 20


def test_the_same_on_every_machine():
    """Written texts would change with these numbers: a change must say so in the changelog."""
    assert [Dice(seed).key(row) for seed, row in ((0, 0), (0, 1), (42, 3))] == KEYS
    torch.testing.assert_close(Dice(42).noise(2, 2), torch.tensor(NOISE, dtype=torch.float64), atol=1e-12, rtol=0)


def test_no_seed():
    assert Dice().seed != Dice().seed
