"""Accounts, simulated: every branch is reached, and nobody dies of being useful."""

from __future__ import annotations

import pytest
import torch

from wetware.plasticity.accounts import (
    Census,
    Decision,
    Terms,
    cosine,
    decide,
    min_max,
    relative_income,
    relative_load,
    settled,
)

TERMS = Terms(min_age=10, quantile=0.5, poor=0.3, similar=0.9, patience=20)


def census(fitness, load, *, alive=None, used=None, age=100, hunger=0, alike=()):
    slots = len(fitness)
    alive = torch.ones(slots, dtype=torch.bool) if alive is None else torch.tensor(alive)
    likeness = torch.eye(slots)
    for a, b in alike:
        likeness[a, b] = likeness[b, a] = 0.99
    full = [torch.full((slots,), value) if isinstance(value, int) else torch.tensor(value) for value in (age, hunger)]
    used = alive.clone() if used is None else torch.tensor(used)
    return Census(alive, used, full[0], torch.tensor(fitness), torch.tensor(load), full[1], likeness)


def test_load_is_relative():
    alive = torch.tensor([True, True, True, True, False])
    assert relative_load(torch.tensor([5.0, 5.0, 5.0, 5.0, 0.0]), alive).tolist() == [1, 1, 1, 1, 0]
    assert relative_load(torch.tensor([20.0, 0.0, 0.0, 0.0, 0.0]), alive).tolist() == [4, 0, 0, 0, 0]
    assert relative_load(torch.zeros(5), alive).tolist() == [0] * 5


def test_income_has_no_unit():
    alive, income = torch.tensor([True, True, False]), torch.tensor([3e-5, -1e-5, 9.0])
    torch.testing.assert_close(relative_income(income, alive), torch.tensor([1.5, -0.5, 0.0]))
    torch.testing.assert_close(relative_income(1e6 * income, alive), torch.tensor([1.5, -0.5, 0.0]))
    assert relative_income(torch.zeros(3), alive).tolist() == [0, 0, 0]


def test_a_balance_is_bounded():
    balance, load = torch.tensor([0.0, 0.5, 1.0]), torch.ones(3)
    made = settled(balance, torch.tensor([0.0, 2.0, 9.0]), load, tax=0.5, upkeep=0.25, rate=0.1)
    torch.testing.assert_close(made, torch.tensor([0.0, 0.5 + 0.1 * 1.25, 1.0]))


def test_min_max():
    alive = torch.tensor([True, True, True, False])
    assert min_max(torch.tensor([1.0, 3.0, 2.0, 99.0]), alive).tolist() == [0, 1, 0.5, 0]
    assert min_max(torch.full((4,), 7.0), alive).tolist() == [0.5, 0.5, 0.5, 0]


def test_cosine():
    a, b = torch.tensor([[3.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    torch.testing.assert_close(cosine(a, b), torch.tensor([0.5**0.5, 0.0]))


ROOM = {"alive": [True, True, False], "used": [True, True, False]}
DECISIONS = {
    "the fittest and busiest splits": (census([0.9, 0.4, 0.0], [1.2, 0.8, 0.0], **ROOM), [Decision("split", 0, 2)]),
    "busy alone is not enough": (census([0.4, 0.9, 0.0], [1.2, 0.8, 0.0], **ROOM), []),
    "nor is being the best of the poor": (census([0.2, 0.1, 0.0], [1.2, 0.8, 0.0], **ROOM), []),
    "too young": (census([0.9, 0.4, 0.0], [1.2, 0.8, 0.0], age=[5, 100, 100], **ROOM), []),
    "no room": (census([0.9, 0.4], [1.2, 0.8]), []),
    "all of the load is no reason to die": (census([0.5, 0.5], [2.0, 0.0]), []),
    "hunger kills": (census([0.6, 0.0], [1.9, 0.1], hunger=[0, 20], age=50, alive=[True, True]), "starve"),
    "hunger must last": (census([0.6, 0.0], [0.1, 1.9], hunger=[0, 19]), []),
    "the last one lives": (census([0.0], [1.0], hunger=[99]), []),
    "poor and alike merge": (census([0.1, 0.2, 0.8], [1.0, 1.0, 1.0], alike=[(0, 1)]), "merge"),
    "poor and unlike do not": (census([0.1, 0.2, 0.8], [1.0, 1.0, 1.0]), []),
    "one rich one does not": (census([0.1, 0.2, 0.8], [1.0, 1.0, 1.0], alike=[(0, 2)]), []),
    "an old grave is filled": (
        census([0.4, 0.9, 0.0], [1.2, 0.8, 0.0], alive=[True, True, False], used=[True, True, True]),
        [Decision("revive", 1, 2)],
    ),
    "a fresh one is not": (
        census([0.4, 0.9, 0.0], [1.2, 0.8, 0.0], alive=[True, True, False], used=[True, True, True], age=[99, 99, 19]),
        [],
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions(name):
    given, expected = DECISIONS[name]
    if expected == "starve":  # and the one who can takes the slot at once
        expected = [Decision("starve", 1, 1), Decision("split", 0, 1)]
    if expected == "merge":  # into the fitter one
        expected = [Decision("merge", 1, 0), Decision("split", 2, 0)]
    assert decide(given, TERMS) == expected


def test_a_population_meets_every_fate():
    """Five slots with incomes and loads as one might record them: the useful splits, the useless starves, two poor ones that
    read the same merge, and a grave is filled again. No account leaves its bounds."""
    terms = TERMS._replace(min_age=15, quantile=0.6, patience=15)
    slots = 6
    alive = torch.tensor([True] * 4 + [False] * 2)
    fitness, age, hunger = torch.full((slots,), 0.5), torch.zeros(slots).long(), torch.zeros(slots).long()
    used, load, seen = alive.clone(), torch.ones(slots), []
    likeness, worth = torch.eye(slots), torch.tensor([2.5, 0.45, 0.42, -0.3, 0.5, 0.5])
    likeness[1, 2] = likeness[2, 1] = 0.99
    dice = torch.Generator().manual_seed(0)
    for step in range(400):
        income = relative_income(worth + 0.3 * torch.randn(slots, generator=dice), alive)
        load = relative_load(
            alive * (1.0 + 0.1 * torch.rand(slots, generator=dice) + 0.2 * worth.clamp(min=0.0)), alive
        )
        fitness = torch.where(alive, settled(fitness, income, load, tax=0.5, upkeep=0.25, rate=0.05), 0.0)
        age, hunger = age + 1, torch.where(alive & (fitness <= 0.02), hunger + 1, 0)
        assert ((fitness >= 0) & (fitness <= 1)).all()
        if step % 10:
            continue
        for what, parent, child in decide(Census(alive, used, age, fitness, load, hunger, likeness), terms):
            seen.append((what, parent, child))
            alive[child] = used[child] = True
            if what in ("starve", "merge"):
                alive[child] = False
            else:
                fitness[child] = fitness[parent] = fitness[parent] / 2
            age[[parent, child]] = hunger[[parent, child]] = 0
        assert alive.any()
    assert {what for what, _, _ in seen} == {"split", "merge", "starve", "revive"}, seen
    assert alive[0], "the most useful and most used one is alive"
    assert not any(child == 0 for _, _, child in seen)
