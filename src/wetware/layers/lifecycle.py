"""Lifecycle: experts that split, merge, starve and come back."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.layers.succession import Stock, merge, split, starve
from wetware.parameters import constant, filled
from wetware.plasticity import Between, Rule
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


@dataclass(frozen=True, kw_only=True)
class Fitness(Config):
    """A slot for what decides over experts: a number from 0 to 1 for each."""

    abstract: ClassVar[bool] = True

    @abstractmethod
    def measured(self, accounts: Accounts, alive: Tensor, step: Step) -> Tensor:
        """The fitness [slots] after a step; ``accounts`` are those of this step but for the fitness itself."""


@dataclass(frozen=True, kw_only=True)
class EnergyAccount(Fitness):
    """A bounded balance: ``b <- clip(b + rate (income - tax * load - upkeep), 0, 1)``.

    income: what the loss would rise by, to second order, if the expert were silent, a running mean, as a multiple of the mean
    among experts; load: 1 at even use. So a mean expert gains where ``tax + upkeep`` < 1, and a busy one that helps nobody
    pays. The energy is a number in a book, named after what neurons pay for spikes; nothing is saved by it but what dies.

    With G the derivative of the mean loss of a step's N tokens by a factor of the expert's output, that rise is ``-G`` and half
    the curvature. The gain is trained, so G is zero but for noise (measured: a running mean of it is a tenth of its deviation,
    of either sign, all through a run), and of independent tokens ``N G^2`` is the empirical Fisher information, which stands
    for the curvature: ``N G^2 / 2`` (Fisher pruning; Theis et al., 2018).
    """

    tax: float = number(0.5, 0.0, 100.0)
    upkeep: float = number(0.25, 0.0, 100.0)

    def measured(self, accounts: Accounts, alive: Tensor, step: Step) -> Tensor:
        balance = settled(
            accounts.fitness, step.income, step.load, tax=self.tax, upkeep=self.upkeep, rate=accounts.config.rate
        )
        return torch.where(alive, balance, 0.0)


@dataclass(frozen=True, kw_only=True)
class NeuroScoreFitness(Fitness):
    """A running mean of the mean of three numbers, each from 0 for the worst living expert to 1 for the best:

    efficiency: running income over (load + upkeep). specialisation: 1 - cosine of its mean input with everybody's.
    resilience: 1 / variance of its income. It ranks experts; it knows no balance. The control of :class:`EnergyAccount`.
    """

    upkeep: float = number(0.25, 1e-3, 100.0)

    def measured(self, accounts: Accounts, alive: Tensor, step: Step) -> Tensor:
        efficiency = accounts.income / (accounts.load + self.upkeep)
        specialisation = 1.0 - cosine(accounts.inputs, accounts.everybody)
        variance = (accounts.income_square - accounts.income.square()).clamp(min=1e-30)
        parts = [min_max(value, alive) for value in (efficiency, specialisation, variance.reciprocal())]
        return torch.where(alive, accounts.fitness.lerp(torch.stack(parts).mean(0), accounts.config.rate), 0.0)


@dataclass(frozen=True, kw_only=True)
class Lifecycle(Config):
    """Between two optimizer steps, every ``every`` of them, at most one of each, to no expert two, to none younger than
    ``min_age`` steps::

        starve   fitness at the floor (0.02) for ``patience`` steps: the slot is empty, its tokens go to others
        merge    cosine of mean inputs > ``similar`` and both fitnesses < ``poor``: the mean of both in the fitter one's slot
        split    among the upper 1 - ``quantile`` of fitness and of load, not poor, and a slot is free: two in place of one
        revive   a slot that lost its expert ``patience`` steps ago gets a half of the fittest that is not poor

    rate: how much of a running mean or an account is of the present step. noise: how far twins start from one another,
    relative to the size of their weights. score: what fitness is. A split keeps the function: see
    :mod:`wetware.layers.succession`.

    Growing and pruning of networks: Net2Net (Chen, Goodfellow and Shlens, 2016) splits for the sake of size; here what is split
    and what dies is decided by what an expert was worth. Its control is ``lifecycle = None`` with as many experts.
    """

    every: int = number(50, 1)
    rate: float = number(0.02, 1e-6, 1.0)
    min_age: int = number(100, 0)
    quantile: float = number(0.5, 0.0, 1.0)
    poor: float = number(0.3, 0.0, 1.0)
    similar: float = number(0.8, -1.0, 1.0)
    patience: int = number(200, 1)
    noise: float = number(0.02, 0.0, 1.0)
    score: Fitness = EnergyAccount()

    def build(self, *, slots: int, width: int) -> Accounts:
        return Accounts(self, slots, width)


FLOOR = 0.02


class Step(NamedTuple):
    """What one step told: income and load of each slot, both relative. shown: which slots were given a token."""

    income: Tensor
    load: Tensor
    shown: Tensor


class Evidence(NamedTuple):
    """What experts tell of a chunk. multipliers: ones [slots] with which the outputs were multiplied, of whose gradient
    the income is made. counts: tokens that chose each slot. inputs: their sums, [slots, width]. everybody: the sum of all,
    [width]."""

    multipliers: Tensor
    counts: Tensor
    inputs: Tensor
    everybody: Tensor


class Accounts(nn.Module):
    """What is remembered of experts: running means, and who came from whom. born: the step at which the slot's expert came to
    be, -1 in a slot that never had one. parent: the slot it was split from, -1 for none."""

    fitness: Tensor
    income: Tensor
    income_square: Tensor
    load: Tensor
    inputs: Tensor
    everybody: Tensor
    age: Tensor
    hunger: Tensor
    born: Tensor
    parent: Tensor

    def __init__(self, config: Lifecycle, slots: int, width: int) -> None:
        super().__init__()
        self.config = config
        for name, start in (("fitness", 0.5), ("income", 0.0), ("income_square", 0.0), ("load", 1.0)):
            self.register_buffer(name, constant(slots, draw=filled(start)))
        self.register_buffer("inputs", constant(slots, width, draw=filled(0.0)))
        self.register_buffer("everybody", constant(width, draw=filled(0.0)))
        for name, start in (("age", 0), ("hunger", 0), ("born", -1), ("parent", -1)):
            self.register_buffer(name, constant(slots, draw=filled(start), dtype=torch.long))

    def read(self, between: Between, alive: Tensor) -> None:
        """Take in what all parts of the batch, on all processes, said."""
        told = _summed(between, self)
        self.age += 1
        self.born.masked_fill_(alive & (self.born < 0), 0)
        if told is None:
            return
        income = 0.5 * told.counts.sum() * told.multipliers.square()
        load, rate = relative_load(told.counts, alive), self.config.rate
        for mean, value in ((self.income, income), (self.income_square, income.square()), (self.load, load)):
            mean.lerp_(value, rate)
        # of the running mean: the income of one step varies more than its mean
        step = Step(relative_income(self.income, alive), load, told.counts > 0)
        self.everybody.lerp_(told.everybody / told.counts.sum().clamp(min=1.0), rate)
        # who was shown nothing keeps what it knows of itself; a first sight is no running mean yet
        mean = told.inputs / told.counts.clamp(min=1.0)[:, None]
        weight = torch.where(self.inputs.abs().sum(1) > 0, rate, 1.0) * step.shown
        self.inputs.lerp_(mean, weight[:, None].expand_as(mean))
        self.fitness.copy_(self.config.score.measured(self, alive, step))
        self.hunger.copy_(torch.where(alive & (self.fitness <= FLOOR), self.hunger + 1, 0))

    def census(self, alive: Tensor) -> Census:
        likeness = cosine(self.inputs[:, None], self.inputs[None])
        return Census(alive, self.born >= 0, self.age, self.fitness, self.load, self.hunger, likeness)

    def halve(self, parent: int, child: int, step: int) -> None:
        """A split: the balance, the work and the earnings are shared; what both know is the same."""
        for half in (self.fitness, self.income, self.load):
            half[parent] *= 0.5
        self.income_square[parent] *= 0.25
        for buffer in (self.fitness, self.income, self.income_square, self.load, self.inputs):
            buffer[child] = buffer[parent]
        self.age[[parent, child]] = self.hunger[[parent, child]] = 0
        self.born[child], self.parent[child] = step, parent

    def join(self, winner: int, loser: int, share: float) -> None:
        """A merger: what one had is the other's now."""
        for total in (self.fitness, self.income, self.load):
            total[winner] += total[loser]
        self.fitness.clamp_(max=1.0)
        self.income_square[winner] = self.income[winner].square()
        self.inputs[winner] = share * self.inputs[winner] + (1.0 - share) * self.inputs[loser]
        self.age[winner] = self.hunger[winner] = 0
        self.empty(loser)

    def empty(self, slot: int) -> None:
        """A death; ``born`` and ``parent`` stay, as the slot's last entry."""
        for buffer in (self.fitness, self.income, self.income_square, self.load, self.inputs, self.age, self.hunger):
            buffer[slot] = 0


def _summed(between: Between, accounts: Accounts) -> Evidence | None:
    """The evidence of all parts and processes in one sum. The multipliers' gradients are of the mean loss of a process, so
    theirs becomes a mean. None when nobody said anything."""
    slots, width = accounts.inputs.shape
    total = torch.zeros(2 * slots + slots * width + width + 1, device=accounts.inputs.device)
    total[-1] = 1.0
    for _, told in between.evidence:
        gradient = told.multipliers.grad
        gradient = torch.zeros_like(told.counts) if gradient is None else gradient
        total[:-1] += torch.cat([gradient, told.counts, told.inputs.flatten(), told.everybody])
    total = between.together(total)
    gradient, counts, inputs, everybody = total[:-1].split([slots, slots, slots * width, width])
    if not counts.sum() > 0:
        return None
    return Evidence(gradient / total[-1], counts, inputs.view(slots, width), everybody)


class Succession(Rule):
    """Follows a :class:`Lifecycle` over a stock of experts."""

    def __init__(self, stock: Stock, accounts: Accounts) -> None:
        self.stock, self.accounts = stock, accounts

    @torch.no_grad()
    def apply(self, between: Between) -> list[dict[str, Any]]:
        config, alive = self.accounts.config, self.stock.alive
        self.accounts.read(between, alive)
        if between.step % config.every:
            return []
        terms = Terms(config.min_age, config.quantile, config.poor, config.similar, config.patience)
        return [self._do(decision, between) for decision in decide(self.accounts.census(alive), terms)]

    def _do(self, decision: Decision, between: Between) -> dict[str, Any]:
        accounts, (what, parent, child) = self.accounts, decision
        fitness = [round(float(accounts.fitness[slot]), 4) for slot in (parent, child)]
        loads = [round(float(accounts.load[slot]), 4) for slot in (parent, child)]
        if what == "starve":
            starve(self.stock, child, between)
            accounts.empty(child)
        elif what == "merge":
            both = accounts.load[parent] + accounts.load[child]
            share = float(accounts.load[parent] / both) if both > 0 else 0.5
            merge(self.stock, parent, child, share, between)
            accounts.join(parent, child, share)
        else:
            split(self.stock, parent, child, accounts.config.noise, accounts.inputs[parent], between)
            accounts.halve(parent, child, between.step)
        living = int(self.stock.alive.sum())
        return {"what": what, "parent": parent, "child": child, "living": living, "fitness": fitness, "load": loads}
