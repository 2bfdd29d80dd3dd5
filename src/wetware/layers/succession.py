"""Succession: what becomes of weights and moments when experts split, merge and die.

A split makes two slots of one: the same weights, and the logarithm of its share of the softmax less ln 2 for each. Where every
expert serves every token, the sum over both is what the one gave, whatever else is there::

    exp(s + c - ln 2) f + exp(s + c - ln 2) f = exp(s + c) f

Where each token chooses one, the choice is by the score s alone, so that twins stand where the one stood; that they do not
stand on the same place is what the noise is for. It is antisymmetric: +d for one and -d for the other.

Where each token chooses two of more, a split is not exact: the twins take both places, and the second best expert is lost to
their tokens (in tests/layers/test_lifecycle.py, some 35% of the output of three experts, whatever the noise).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wetware.parameters import keyed_generator
from wetware.plasticity import Between


class Stock(NamedTuple):
    """Experts, by slot in the first dimension of everything. inherited: every parameter of an expert. varied: those of them in
    which twins differ. alive: bool [slots]. log_share: [slots], the logarithm of a factor of the softmax."""

    inherited: tuple[nn.Parameter, ...]
    varied: tuple[nn.Parameter, ...]
    alive: Tensor
    log_share: Tensor


def _rows(stock: Stock, between: Between) -> Iterator[Tensor]:
    """Every tensor with one row a slot: parameters, and what the optimizer keeps of them element by element."""
    for parameter in stock.inherited:
        yield parameter
        yield from _moments(parameter, between)


def _moments(parameter: nn.Parameter, between: Between) -> Iterator[Tensor]:
    for moment in between.moments(parameter).values():
        if moment.shape == parameter.shape:
            yield moment


def split(stock: Stock, parent: int, child: int, noise: float, mean: Tensor, between: Between) -> None:
    """``child`` becomes the twin of ``parent``, moments too. noise: relative to the root mean square of what is varied. mean:
    the mean input of the parent, [width]; rows that are compared with inputs are varied at right angles to it, or nearly all
    tokens would fall to one twin."""
    for rows in _rows(stock, between):
        rows[child] = rows[parent]
    for index, parameter in enumerate(stock.varied):
        # of the place among the varied, not of the layer: layers that split in one step draw alike, and it does not matter
        generator = keyed_generator(between.seed, f"split/{between.step}/{parent}/{child}/{index}")
        drawn = torch.randn(parameter.shape[1:], generator=generator).to(parameter)
        size = parameter[parent].square().mean().sqrt()
        if drawn.shape[-1] == len(mean) and mean.abs().sum() > 0:
            drawn -= (drawn @ mean / mean.square().sum()).unsqueeze(-1) * mean
        parameter[parent] -= noise * size * drawn
        parameter[child] += noise * size * drawn
    stock.log_share[parent] -= math.log(2.0)
    stock.log_share[child] = stock.log_share[parent]
    stock.alive[child] = True


def merge(stock: Stock, winner: int, loser: int, share: float, between: Between) -> None:
    """``share`` of the winner and the rest of the loser, in the winner's slot, which takes both shares of the softmax. The
    function is kept where both are twins; for others, whose hidden neurons have nothing to do with one another, a mean of
    weights is a guess."""
    for rows in _rows(stock, between):
        rows[winner] = share * rows[winner] + (1.0 - share) * rows[loser]
    stock.log_share[winner] = torch.logaddexp(stock.log_share[winner], stock.log_share[loser])
    die(stock, loser, between)


def die(stock: Stock, slot: int, between: Between) -> None:
    """Nobody is in the slot any more: what the optimizer kept of it is forgotten; its weights are never read."""
    for parameter in stock.inherited:
        for moment in _moments(parameter, between):
            moment[slot] = 0.0
    stock.alive[slot] = False
    stock.log_share[slot] = 0.0


def starve(stock: Stock, slot: int, between: Between) -> None:
    """A death without an heir. Shares count from the largest among those left, as they did at first."""
    die(stock, slot, between)
    stock.log_share.sub_(stock.log_share[stock.alive].max()).masked_fill_(~stock.alive, 0.0)
