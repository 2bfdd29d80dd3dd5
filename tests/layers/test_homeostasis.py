"""Homeostasis: the rule by hand, its end, and what it does to the rates of a block."""

from __future__ import annotations

import pytest
import torch

import wetware
from wetware.config import with_
from wetware.layers import Fired, Homeostasis
from wetware.layers.homeostasis import LOWEST, TOLD
from wetware.neurons import NeuronParams
from wetware.parameters import initialize
from wetware.plasticity import Between


def built(size=3, **fields):
    made = Homeostasis(**fields).build(size=size)
    initialize(made, 0)
    return made


def between(step, *told, **more):
    return Between(step, 0, tuple((share, Fired(torch.tensor(rates))) for share, rates in told), lambda p: {}, **more)


def params(*thresholds):
    ones = torch.ones(len(thresholds))
    return NeuronParams(0.5 * ones, torch.tensor(thresholds), ones)


def test_the_rule_by_hand():
    made = built(rate=0.2, step=0.5, memory=0.75)
    made.rule().apply(between(1, (1.0, [0.6, 0.2, 0.0])))
    torch.testing.assert_close(made.rates, torch.tensor([0.3, 0.2, 0.15]))
    torch.testing.assert_close(made.shift, torch.tensor([0.05, 0.0, -0.025]))
    made.rule().apply(between(2, (1.0, [0.3, 0.2, 0.15])))  # as before: the same once more
    torch.testing.assert_close(made.shift, torch.tensor([0.1, 0.0, -0.05]))
    moved = made(params(1.0, 2.0, 3.0))
    torch.testing.assert_close(moved.threshold, torch.tensor([1.1, 2.0, 2.95]))
    assert moved.gain.eq(1.0).all() and moved.decay.eq(0.5).all()


def test_parts_of_a_batch_weigh_as_much_as_they_hold_and_processes_alike():
    parts, whole, two = built(), built(), built()
    parts.rule().apply(between(1, (0.25, [0.8, 0.0, 0.4]), (0.75, [0.0, 0.4, 0.4])))
    whole.rule().apply(between(1, (1.0, [0.2, 0.3, 0.4])))
    two.rule().apply(between(1, (1.0, [0.2, 0.3, 0.4]), together=lambda tensor: 2.0 * tensor))
    torch.testing.assert_close(parts.shift, whole.shift)
    torch.testing.assert_close(two.shift, whole.shift)


def test_it_moves_nothing_at_first_and_no_threshold_below_the_lowest():
    made = built()
    start = params(0.3, 1.0, 2.0)
    assert torch.equal(made(start).threshold, start.threshold)
    made.shift.fill_(-5.0)
    assert made(start).threshold.eq(LOWEST).all()


def test_until_freezes_it_and_says_so():
    made = built(until=2)
    rule = made.rule()
    told = [rule.apply(between(step, (1.0, [0.9, 0.1, 0.0]))) for step in (1, 2)]
    assert told[0] == [] and told[1][0]["what"] == "frozen"
    kept = made.shift.clone()
    assert kept.abs().sum() > 0
    assert rule.apply(between(3, (1.0, [0.9, 0.1, 0.0]))) == []
    assert torch.equal(made.shift, kept)


def test_its_events_tell_the_spreads():
    made = built()
    [event] = made.rule().apply(between(TOLD, (1.0, [0.9, 0.3, 0.0])))
    assert event["what"] == "moved" and event["rate"] == pytest.approx(0.4)
    assert event["shift_spread"] == pytest.approx(float(made.shift.std(correction=0)), abs=1e-5)
    assert made.rule().apply(between(TOLD + 1, (1.0, [0.9, 0.3, 0.0]))) == []
    assert made.rule().apply(between(TOLD)) == []  # nobody said anything


def test_rates_of_a_block_become_equal():
    """What it is for, and what it costs: neurons of different drive end up firing alike."""
    config = with_(wetware.tiny("real_sam"), "block.homeostasis", Homeostasis(rate=0.05, step=0.5, memory=0.5))
    model = config.build(seed=0)
    text = torch.randint(0, 67, (8, 40), generator=torch.Generator().manual_seed(1))
    rules, spreads = model.rules(), []
    assert list(rules) == ["blocks.0.homeostasis", "blocks.1.homeostasis"]
    for step in range(80):
        output = model(text)
        rates = output.activity[0].spikes.detach().mean((0, 1))
        spreads.append((float(rates.mean()), float(rates.std())))
        for path, rule in rules.items():
            rule.apply(Between(step + 1, 0, ((1.0, output.evidence[path]),), lambda p: {}))
    assert spreads[-1][0] == pytest.approx(0.05, abs=0.01)
    assert spreads[-1][1] < 0.4 * spreads[0][1]
    with torch.no_grad():
        assert model(text).evidence == {}  # nothing is told where nothing is learned
