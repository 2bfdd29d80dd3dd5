"""Accounts: what experts earn and spend, and who splits, merges, starves or comes back. Numbers only; no layer is known here.

All tensors are [slots] unless it is said otherwise; ``alive`` is bool.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def relative_load(counts: Tensor, alive: Tensor) -> Tensor:
    """``l_e = E c_e / sum c``: 1 for every expert at even use, whatever the number E of living experts and of choices a token
    has. A load of E is all the work there is, and nothing to be punished."""
    return alive.sum() * counts / counts.sum().clamp(min=1.0)


def relative_income(income: Tensor, alive: Tensor) -> Tensor:
    """Income as a multiple of the mean of its size among the living, so that no account depends on the scale of a loss. 0 for
    all while nobody has any."""
    size = income[alive].abs().mean()
    return torch.where(alive, income / size, 0.0) if size > 0 else torch.zeros_like(income)


def settled(balance: Tensor, income: Tensor, load: Tensor, *, tax: float, upkeep: float, rate: float) -> Tensor:
    """``balance + rate (income - tax * load - upkeep)``, kept between 0 and 1."""
    return (balance + rate * (income - tax * load - upkeep)).clamp(0.0, 1.0)


def min_max(values: Tensor, alive: Tensor) -> Tensor:
    """From 0 for the least of the living to 1 for the greatest; 0.5 where all are alike, 0 for the dead."""
    low, high = values[alive].min(), values[alive].max()
    spread = (values - low) / (high - low) if high > low else torch.full_like(values, 0.5)
    return torch.where(alive, spread, 0.0)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Along the last dimension; 0 where one of them is 0."""
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1)).clamp(min=1e-12)


class Census(NamedTuple):
    """How the experts stand. fitness: from 0 to 1. age: steps since the slot last changed hands. hunger: steps in a row at the
    floor. used: whether the slot ever held an expert. likeness: cosine of what two experts were given, [slots, slots]."""

    alive: Tensor
    used: Tensor
    age: Tensor
    fitness: Tensor
    load: Tensor
    hunger: Tensor
    likeness: Tensor


class Terms(NamedTuple):
    """When something happens to an expert; see :class:`wetware.layers.lifecycle.Lifecycle`."""

    min_age: int
    quantile: float
    poor: float
    similar: float
    patience: int


class Decision(NamedTuple):
    """what: starve (``parent`` dies), merge (``child`` dies into ``parent``), split or revive (``child`` is born of
    ``parent``)."""

    what: str
    parent: int
    child: int


def decide(census: Census, terms: Terms) -> list[Decision]:
    """What is due: at most one of each kind, in the order starve, merge, split, revive, and to no expert two things. A slot
    that is emptied may be filled at once. Ties fall to the lower slot, so equal numbers give equal decisions everywhere."""
    open_to = [slot for slot in _living(census) if census.age[slot] >= terms.min_age]
    found: list[Decision] = []
    if decision := _starve(census, terms, open_to):
        found.append(decision)
        open_to.remove(decision.parent)
    # the last two do not merge when one of them has just died
    if decision := _merge(census, terms, open_to):
        found.append(decision)
        open_to = [slot for slot in open_to if slot not in decision[1:]]
    free = _free(census, found)
    if free and (parent := _splitting(census, terms, open_to)) is not None:
        found.append(Decision("split", parent, free.pop(0)))
        open_to.remove(parent)
    fallow = [
        slot for slot in free if not census.alive[slot] and census.used[slot] and census.age[slot] >= terms.patience
    ]
    able = [slot for slot in open_to if census.fitness[slot] > terms.poor]
    if fallow and able:
        found.append(Decision("revive", _first_best(able, census.fitness), fallow[0]))
    return found


def _living(census: Census) -> list[int]:
    return census.alive.nonzero().flatten().tolist()


def _first_best(slots: list[int], by: Tensor) -> int:
    return max(slots, key=lambda slot: (float(by[slot]), -slot))


def _starve(census: Census, terms: Terms, open_to: list[int]) -> Decision | None:
    """Who has been at the floor for long; the last expert never dies."""
    hungry = [slot for slot in open_to if census.hunger[slot] >= terms.patience]
    if not hungry or len(_living(census)) < 2:
        return None
    worst = _first_best(hungry, census.hunger)
    return Decision("starve", worst, worst)


def _merge(census: Census, terms: Terms, open_to: list[int]) -> Decision | None:
    """The most alike of pairs that are both poor."""
    poor = [slot for slot in open_to if census.fitness[slot] < terms.poor]
    pairs = [(a, b) for a in poor for b in poor if a < b and census.likeness[a, b] > terms.similar]
    if not pairs:
        return None
    a, b = max(pairs, key=lambda pair: float(census.likeness[pair]))
    return Decision("merge", a, b) if census.fitness[a] >= census.fitness[b] else Decision("merge", b, a)


def _splitting(census: Census, terms: Terms, open_to: list[int]) -> int | None:
    """Who is among the fittest and among the busiest, and not poor."""
    fitness, load = census.fitness[census.alive], census.load[census.alive]
    rich, busy = fitness.quantile(terms.quantile), load.quantile(terms.quantile)
    able = [
        slot
        for slot in open_to
        if census.fitness[slot] >= max(rich, terms.poor) and census.load[slot] >= busy and census.fitness[slot] > 0
    ]
    return _first_best(able, census.fitness) if able else None


def _free(census: Census, found: list[Decision]) -> list[int]:
    """Slots without an expert: those that never had one first."""
    emptied = [decision.child for decision in found]
    empty = [slot for slot in range(len(census.alive)) if not census.alive[slot]]
    return sorted(empty, key=lambda slot: (bool(census.used[slot]), slot)) + sorted(emptied)
