"""Splits and mergers keep the function, moments follow row by row, and every process decides alike."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from wetware.layers import (
    DotRouting,
    Lifecycle,
    NeuroScoreFitness,
    RabSnareRouting,
    SynapticExperts,
    UltrametricRouting,
)
from wetware.layers.lifecycle import Evidence
from wetware.layers.succession import Stock, merge, split, starve
from wetware.parameters import initialize
from wetware.plasticity import Between

WIDTH = 16
KEEP = torch.ones(4, 40, dtype=torch.bool)
ROUTINGS = [DotRouting(), RabSnareRouting(dim=4), UltrametricRouting()]


def built(routing=None, life=None, **given):
    config = SynapticExperts(
        **{"experts": 3, "most": 6, "hidden": 8, "routing": routing or DotRouting(), "lifecycle": life or Lifecycle()}
        | given
    )
    layer = config.build(width=WIDTH, depth=2)
    initialize(layer, 0)
    with torch.no_grad():
        layer.gate.fill_(1.0)
    return layer


def between(step=1, moments=lambda parameter: {}, evidence=(), **more):
    return Between(step, 0, evidence, moments, **more)


def text(seed=0):
    return torch.randn(4, 40, WIDTH, generator=torch.Generator().manual_seed(seed))


def answer(layer):
    with torch.no_grad():
        return layer(text(), layer.init_state(4), KEEP).hidden


def deviation(before, after):
    return float((after - before).norm() / before.norm())


@pytest.mark.parametrize("routing", ROUTINGS, ids=lambda r: type(r).__name__)
def test_a_split_is_exact_where_all_serve_all(routing):
    layer = built(routing, top_k=6)
    before = answer(layer)
    with torch.no_grad():
        for parent, child in ((1, 3), (1, 4), (3, 5)):
            split(layer.rule().stock, parent, child, 0.0, torch.zeros(WIDTH), between())
    assert layer.alive.all()
    assert layer.log_share[[1, 4]].tolist() == pytest.approx([-2 * math.log(2)] * 2)
    torch.testing.assert_close(answer(layer), before, atol=1e-6, rtol=1e-5)


def test_how_far_a_split_is_from_exact_where_one_serves():
    """Without noise nothing changes either, for the choice is by the score alone; with it, about as much as the noise."""
    found = {}
    for noise in (0.0, 0.02, 0.1):
        layer = built(top_k=1)
        before = answer(layer)
        with torch.no_grad():
            split(layer.rule().stock, 1, 3, noise, text().mean((0, 1)), between())
        found[noise] = deviation(before, answer(layer))
    assert found[0.0] < 1e-6
    assert 0.002 < found[0.02] < 0.1 < found[0.1] < 0.5


def test_where_two_serve_the_twins_take_both_places():
    """Not hidden: a split is no small thing there, even without noise."""
    layer = built(top_k=2)
    before = answer(layer)
    with torch.no_grad():
        split(layer.rule().stock, 1, 3, 0.0, text().mean((0, 1)), between())
    assert 0.2 < deviation(before, answer(layer)) < 0.5


@pytest.mark.parametrize("routing", ROUTINGS, ids=lambda r: type(r).__name__)
def test_both_twins_are_given_tokens(routing):
    layer = built(routing, top_k=1)
    shown = lambda: layer(text().requires_grad_(), layer.init_state(4), KEEP).evidence  # noqa: E731
    told = shown()
    parent = int(told.counts.argmax())
    with torch.no_grad():
        split(layer.rule().stock, parent, 3, 0.02, told.inputs[parent] / told.counts[parent], between())
    counts = shown().counts
    assert counts[[parent, 3]].sum() == pytest.approx(float(told.counts[parent]), abs=16)
    assert counts[[parent, 3]].min() > 0.05 * counts[[parent, 3]].sum()


def test_twins_lie_on_both_sides():
    layer = built()
    parent = {name: p[1].clone() for name, p in layer.named_parameters() if len(p) == 6}
    with torch.no_grad():
        split(layer.rule().stock, 1, 4, 0.1, torch.zeros(WIDTH), between())
    for name, value in parent.items():
        parameter = layer.get_parameter(name)
        torch.testing.assert_close(0.5 * (parameter[1] + parameter[4]), value)
        apart = (parameter[4] - parameter[1]).square().mean().sqrt() / value.square().mean().sqrt()
        assert apart.item() == pytest.approx(0.2 if name in ("up", "router.weight") else 0.0, rel=0.4)


@pytest.mark.parametrize("top_k", [1, 6])
def test_a_merger_of_twins_is_exact(top_k):
    layer = built(top_k=top_k)
    before, stock = answer(layer), layer.rule().stock
    with torch.no_grad():
        split(stock, 2, 5, 0.1, torch.zeros(WIDTH), between())
        merge(stock, 2, 5, 0.5, between())
    assert layer.alive.tolist() == [True, True, True, False, False, False]
    assert float(layer.log_share[2]) == pytest.approx(0.0, abs=1e-6)
    torch.testing.assert_close(answer(layer), before, atol=1e-6, rtol=1e-5)


def test_shares_count_from_the_largest_left():
    stock = Stock((), (), torch.tensor([True, True, True, False]), torch.tensor([0.0, -1.0, -2.0, 0.0]))
    starve(stock, 0, between())
    assert stock.alive.tolist() == [False, True, True, False]
    assert stock.log_share.tolist() == [0.0, 0.0, -1.0, 0.0]


@torch.no_grad()
def test_moments_follow_row_by_row():
    layer = built()
    optimizer = torch.optim.AdamW(layer.parameters())
    with torch.enable_grad():
        layer(text().requires_grad_(), layer.init_state(4), KEEP).hidden.square().sum().backward()
    optimizer.step()
    stock, kept = (
        layer.rule().stock,
        lambda p: {k: v for k, v in optimizer.state[p].items() if isinstance(v, torch.Tensor)},
    )
    before = {p: {name: value.clone() for name, value in kept(p).items()} for p in stock.inherited}
    split(stock, 1, 4, 0.1, torch.zeros(WIDTH), between(moments=kept))
    for p, moments in before.items():
        assert moments.keys() == {"step", "exp_avg", "exp_avg_sq"}
        for name, value in moments.items():
            if name == "step":
                assert torch.equal(kept(p)[name], value)
                continue
            assert torch.equal(kept(p)[name][4], value[1])
            assert torch.equal(kept(p)[name][[0, 1, 2, 3, 5]], value[[0, 1, 2, 3, 5]])
    before = {p: {name: value.clone() for name, value in kept(p).items()} for p in stock.inherited}
    merge(stock, 0, 2, 0.75, between(moments=kept))
    for p, moments in before.items():
        for name in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(kept(p)[name][0], 0.75 * moments[name][0] + 0.25 * moments[name][2])
            assert kept(p)[name][2].abs().sum() == 0
            assert torch.equal(kept(p)[name][[1, 3, 4, 5]], moments[name][[1, 3, 4, 5]])


LIVELY = Lifecycle(every=1, rate=0.3, min_age=2, quantile=0.0, patience=3, similar=0.5)


def evidence(dice, skew=1.0):
    """As one part of a batch might tell it."""
    multipliers = torch.ones(6, requires_grad=True)
    multipliers.grad = -torch.randn(6, generator=dice) * torch.tensor([3.0, 1, 0, 1, 1, 1]) * skew
    counts = torch.randint(1, 50, (6,), generator=dice).float()
    inputs = counts[:, None] * torch.randn(6, WIDTH, generator=dice)
    return Evidence(multipliers, counts, inputs, inputs.sum(0))


@pytest.mark.parametrize("score", [LIVELY.score, NeuroScoreFitness()], ids=lambda score: type(score).__name__)
def test_two_processes_decide_alike(score):
    """Each sees half of the evidence, both its sum; one process that sees all decides the same."""
    ranks = [built(life=Lifecycle(**{**vars(LIVELY), "score": score})) for _ in range(3)]
    rules, events = [layer.rule() for layer in ranks], [[], [], []]
    dice = torch.Generator().manual_seed(3)
    for step in range(1, 30):
        halves = [evidence(dice), evidence(dice, skew=0.1)]
        flat = [
            torch.cat([h.multipliers.grad, h.counts, h.inputs.flatten(), h.everybody, torch.ones(1)]) for h in halves
        ]
        total = flat[0] + flat[1]
        for rank in (0, 1):
            given = between(step, evidence=((1.0, halves[rank]),), together=lambda mine, total=total: total.clone())
            events[rank] += rules[rank].apply(given)
        alone = copy.deepcopy(halves)
        for half in alone:  # in one process, each half is half of the mean loss
            half.multipliers.grad *= 0.5
        events[2] += rules[2].apply(between(step, evidence=tuple((0.5, half) for half in alone)))
    assert events[0] == events[1]
    assert [(e["what"], e["parent"], e["child"]) for e in events[0]] == [
        (e["what"], e["parent"], e["child"]) for e in events[2]
    ]
    assert {"split"} < {event["what"] for event in events[0]}
    for name, value in ranks[0].state_dict().items():
        assert torch.equal(value, ranks[1].state_dict()[name]), name


def test_accounts_know_descent():
    layer = built(life=LIVELY)
    dice, rule = torch.Generator().manual_seed(1), layer.rule()
    for step in range(1, 30):
        events = rule.apply(between(step, evidence=((1.0, evidence(dice)),)))
        for event in events:
            if event["what"] == "split":
                assert layer.lifecycle.parent[event["child"]] == event["parent"]
                assert layer.lifecycle.born[event["child"]] == step
                assert layer.alive[event["child"]]
                assert event["living"] == int(layer.alive.sum())
                return
    raise AssertionError("no split")


def test_a_step_without_evidence_changes_no_account():
    layer = built()
    before = layer.lifecycle.fitness.clone()
    assert layer.rule().apply(between()) == []
    assert torch.equal(layer.lifecycle.fitness, before)
    assert layer.lifecycle.age.tolist() == [1] * 6
