"""Choosing a token by a screen: the bound is a bound, also where it is tight, and what is chosen is what all logits choose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wetware.kernels.compiled import readout
from wetware.models.dice import Dice
from wetware.models.sampling import Sampling


def room(screen):
    """Where :func:`readout.choose` computes: codes, lost; scores, highest, bounds."""
    blocks, width = len(screen.rest), screen.table.shape[1]
    first = np.empty(screen.codes.shape[1] * 4, np.uint8), np.empty(width, np.float32)
    return *first, np.empty((blocks, readout.BLOCK), np.float32), np.empty(blocks), np.empty(blocks)


def table(rows, width, seed=0, kind="normal"):
    generator = np.random.default_rng(seed)
    made = generator.normal(size=(rows, width))
    if kind == "outlier column":
        made[:, 0] *= 30.0
    if kind == "rows of all sizes":
        made *= 10.0 ** generator.uniform(-6, 3, (rows, 1))
    if kind == "zero rows":
        made[::3] = 0.0
    if kind == "next to nothing":
        made[::2] *= 1e-44
    return made.astype(np.float32)


def vector(width, kind, seed=0):
    """Features of one kind."""
    made = np.random.default_rng(seed).normal(size=width)
    if kind == "zero":
        made[:] = 0.0
    if kind == "one hot":
        made[:] = np.arange(width) == width // 2
    if kind == "outlier":
        made[0] = 60.0
    if kind == "large":
        made *= 1e6
    if kind == "small":
        made *= 1e-6
    return made.astype(np.float32)


# ------------------------------------------------------------------------------------------------------------ the bound


def coarse(screen, features, seen=None, penalty=1.0):
    """Scores and bounds of every row, and the largest score of each block."""
    codes, lost, scores, highest, bounds = room(screen)
    rows, blocks = len(screen.table), len(bounds)
    seen = np.zeros(rows, np.bool_) if seen is None else seen
    readout.coarse(screen, features, codes, lost, seen, penalty, scores, highest, bounds, 0, blocks)
    for block in range(blocks):
        assert highest[block] == scores[block, : rows - block * readout.BLOCK].max()
    return scores.ravel()[:rows], np.repeat(bounds, readout.BLOCK)[:rows]


def penalised(logits, seen, penalty):
    return np.where(seen, np.where(logits > 0, logits / penalty, logits * penalty), logits)


def assert_bounded(made, features, penalty=1.0, seed=0):
    """Neither the exact logits nor those in float32, summed in either of two orders, are further off than the bound. Gives
    the largest share of the bound that was used."""
    screen, seen = readout.screen(made), np.random.default_rng(seed).random(len(made)) < 0.5
    scores, bounds = coarse(screen, features, seen, penalty)
    exact = made.astype(np.float64) @ features
    single = np.array([readout.exact(screen, features, row, seen, penalty) for row in range(len(made))])
    others = [
        penalised(x, seen, penalty) for x in (exact, (torch.from_numpy(made) @ torch.from_numpy(features)).numpy())
    ]
    for logits in (single, *others):
        assert (np.abs(logits - scores) <= bounds).all()
    return float((np.abs(others[0] - scores)[bounds > 0] / bounds[bounds > 0]).max(initial=0.0))


KINDS = ("normal", "outlier column", "rows of all sizes", "zero rows", "next to nothing")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "width"), [(1, 1), (63, 3), (64, 4), (65, 5), (200, 24), (333, 61)])
def test_the_bound_holds(kind, rows, width):
    for seed, features in enumerate(("normal", "zero", "one hot", "outlier", "large", "small")):
        for penalty in (1.0, 1.7, 0.4):
            assert_bounded(table(rows, width, seed, kind), vector(width, features, seed), penalty, seed)


def test_the_bound_holds_at_the_widest():
    """1000 bits, all codes at the ends: the sums in 32 bits and as floats are still whole numbers."""
    for sign in (-1.0, 1.0):
        made, features = np.full((70, 1000), sign, np.float32), np.ones(1000, np.float32)
        scores, bounds = coarse(readout.screen(made), features)
        assert (np.abs(scores - sign * 1000.0) <= bounds).all() and np.abs(scores - sign * 1000.0).max() < 1e-3


@pytest.mark.parametrize("penalty", [1.0, 2.0, 0.5])
@pytest.mark.parametrize("rows", [1, 70])
def test_the_bound_is_needed(rows, penalty):
    """Where what was rounded off points the way of what it is multiplied with, the error is the bound, or nearly: a bound that
    lacked either part, or was a per cent smaller, would not hold here."""
    width = 400
    halves, ones = np.full(width, 0.499), np.ones(width)
    halves[0], ones[0] = 127.0, 0.0  # a first number sets the scale, and the other vector does not see it
    for sign in (-1.0, 1.0):
        for row, features in ((halves, ones), (ones, halves)):  # a whole row is rounded off; then all of the features
            made = np.tile(sign * row, (rows, 1)).astype(np.float32)
            used = assert_bounded(made, features.astype(np.float32), penalty)
            if rows > 1 and (
                penalty == 1.0 or (sign > 0) == (penalty < 1.0)
            ):  # where a penalty stretches the error as well
                assert used > 0.95


# ----------------------------------------------------------------------------------------------------------- the choice


def chosen(screen, features, seen, sampling, dice):
    codes, lost, scores, highest, bounds = room(screen)
    options = (sampling.repetition_penalty, sampling.temperature, sampling.top_k or 0, sampling.top_p)
    key = np.uint64(dice.key(0))
    return readout.choose(screen, features, codes, lost, seen, *options, key, scores, highest, bounds)


SAMPLINGS = [
    Sampling(temperature=0.0),
    Sampling(temperature=0.0, repetition_penalty=2.0),
    Sampling(temperature=1.0),
    Sampling(temperature=0.01),
    Sampling(temperature=30.0),
    Sampling(temperature=0.8, repetition_penalty=1.3),
    Sampling(temperature=0.8, repetition_penalty=0.6),
    Sampling(temperature=1.0, top_k=1),
    Sampling(temperature=1.0, top_k=3),
    Sampling(temperature=2.0, top_k=40, top_p=0.8),
    Sampling(temperature=1.0, top_k=150, top_p=0.5, repetition_penalty=1.5),
    Sampling(temperature=1.0, top_k=20, top_p=0.0),
]


def value(token, made, features, seen, sampling, dice):
    """What a token is compared by, in float64."""
    logit = penalised(made.astype(np.float64) @ features, seen, sampling.repetition_penalty)[token]
    if sampling.temperature == 0:
        return logit
    dice.draws -= 1
    return logit / sampling.temperature + float(dice.noise(1, len(made))[0, token])


def assert_chosen_alike(made, features, sampling, draws=8):
    """A difference must be a tie."""
    screen, dice = readout.screen(made), Dice(len(made))
    for draw in range(draws):
        seen = np.random.default_rng(draw).random(len(made)) < 0.3
        dice.draws = draw
        mine = chosen(screen, features, seen, sampling, dice)
        logits = torch.from_numpy(made) @ torch.from_numpy(features)
        other = int(sampling.choose(logits[None], torch.from_numpy(seen)[None], dice)[0])
        if mine != other:
            dice.draws = draw + 1
            values = [value(token, made, features, seen, sampling, dice) for token in (mine, other)]
            assert abs(values[0] - values[1]) < 1e-5, (draw, mine, other, values)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_chosen_as_from_all_logits(sampling, kind):
    """Logits flat and peaked, tables of every kind, vocabularies and widths that fill no block."""
    if sampling.top_p < 1.0 and kind == "next to nothing":
        return  # half of the tokens are one tie, which the share is reached amid
    for rows, width in ((2, 1), (64, 6), (65, 24), (200, 33), (450, 61)):
        if sampling.top_p < 1.0 and rows <= (sampling.top_k or rows):
            continue  # the caller's own: it needs all logits
        made = table(rows, width, rows, kind)
        made /= np.abs(made).max()
        for scale in (0.05, 1.0, 12.0):
            assert_chosen_alike(made, scale * vector(width, "normal", rows), sampling)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_ties(sampling):
    """Rows that are there several times, and no features at all: all logits are equal, and the dice decide alone."""
    made = np.tile(table(20, 24), (10, 1))
    assert_chosen_alike(made, vector(24, "normal"), sampling)
    assert_chosen_alike(table(200, 24), vector(24, "zero"), sampling)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_a_screen_that_sees_next_to_nothing(sampling):
    """A first number sets the scale of each row, so that of all others no more is left than -1, 0 or 1: the order of the
    coarse logits says little of the exact ones, and only the bound can tell what may be chosen."""
    made = np.repeat(np.random.default_rng(0).uniform(-1.5, 1.5, (200, 1)), 50, axis=1).astype(np.float32)
    made[:, 0] = 127.0
    features = np.where(np.arange(50) == 0, 0.0, 0.1).astype(np.float32)
    assert_chosen_alike(made, features, sampling)


def test_half_is_not_more_than_half():
    """Two tokens that share all probability: the first holds top_p 0.5 and no more, so that the second stays."""
    made = np.tile(table(20, 24), (2, 1))
    assert_chosen_alike(made, vector(24, "normal"), Sampling(temperature=1.0, top_k=2, top_p=0.5), draws=20)


def test_only_what_can_win_is_looked_at(monkeypatch):
    """Of 1000 tokens a handful, when one is likelier than all others; not the whole vocabulary when none is."""
    made, score, looked = table(1000, 24), readout._score, []
    monkeypatch.setattr(readout, "_score", lambda *args: (looked.append(args[2]), score(*args))[1])

    def count(features, temperature):
        screen, looked[:] = readout.screen(made), []
        codes, lost, scores, highest, bounds = room(screen)
        seen = np.zeros(1000, np.bool_)
        readout.coarse(screen, features, codes, lost, seen, 1.0, scores, highest, bounds, 0, len(bounds))
        rest = (seen, 1.0, temperature, np.uint64(Dice(1).key(0)), scores, highest, bounds)
        readout._winner.py_func(screen, features, *rest)
        return len(looked)

    peaked, flat = made[123] * 3.0, vector(24, "normal")
    assert count(peaked, 0.0) <= 3 and count(peaked, 1.0) <= 3
    assert count(flat, 0.0) <= 60 and count(0.01 * flat, 1.0) <= 60
