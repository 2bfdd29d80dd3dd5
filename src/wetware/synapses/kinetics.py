"""Kinetics: the rates of a synapse, learned for each head, in coordinates in which no step of an optimizer can leave their
range."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from wetware.config import Config, ConfigError, number
from wetware.parameters import NEURON, parameter


class Bound:
    """A coordinate: ``value = forward(raw)``, ``raw = inverse(value)``, for plain numbers."""

    def __init__(self, forward: Callable[[Tensor], Tensor], inverse: Callable[[float], float]) -> None:
        self.forward, self.inverse = forward, inverse


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


def _same(value: Any) -> Any:
    return value


def _quarter(raw: Tensor) -> Tensor:
    return 0.25 * torch.sigmoid(raw)


def _of_quarter(value: float) -> float:
    return _logit(4 * value)


def _of_softplus(value: float) -> float:
    return value + math.log(-math.expm1(-max(value, 1e-6)))


# functions with a name, so that a model can be pickled
FREE = Bound(_same, _same)
SHARE = Bound(torch.sigmoid, _logit)  # in (0, 1)
QUARTER = Bound(_quarter, _of_quarter)  # in (0, 1/4)
POSITIVE = Bound(functional.softplus, _of_softplus)


def learned(values: list[float], bound: Bound) -> nn.Parameter:
    """A parameter [H] that ``bound.forward`` maps to ``values``."""
    return parameter(len(values), draw=partial(_fill, tuple(map(bound.inverse, values))), role=NEURON)


def _fill(values: tuple[float, ...], tensor: Tensor, generator: torch.Generator) -> None:
    tensor.copy_(torch.tensor(values))


class Rates(nn.Module):
    """Learned rates [H] by their name in the kinetics of ``vesicle_scan``, each in its own coordinate."""

    def __init__(self, heads: int, **rates: tuple[float, Bound]) -> None:
        super().__init__()
        self.bounds = {name: bound for name, (_, bound) in rates.items()}
        for name, (value, bound) in rates.items():
            self.register_parameter(name, learned([value] * heads, bound))

    def bare(self, name: str) -> Tensor:
        """A rate as it is stored."""
        return getattr(self, name)

    def settle(self, rates: dict[str, Tensor]) -> None:
        """What is left to do to the rates of this part, when all are in their range."""

    def forward(self) -> dict[str, Tensor]:
        return together(self)


class Recovery(Rates):
    """A variable that recovers by a rate and is used up by release, ``y <- y + r (rest - y) - cost * released * y``; rate and
    cost add up to less than 1, so that it stays between 0 and 1."""

    def __init__(self, heads: int, letter: str, recovery: float, cost: float, **more: tuple[float, Bound]) -> None:
        self.letter = letter
        share = cost / (1 - recovery)
        super().__init__(heads, **{f"r{letter}": (recovery, SHARE), f"c{letter}": (share, SHARE)}, **more)

    def settle(self, rates: dict[str, Tensor]) -> None:
        rates[f"c{self.letter}"] = rates[f"c{self.letter}"] * (1 - rates[f"r{self.letter}"])


def together(*parts: Rates) -> dict[str, Tensor]:
    """The rates of several parts, all those of one coordinate at once: at each token, calls are what they cost."""
    groups: dict[Bound, dict[str, Tensor]] = {}
    for part in parts:
        for name, bound in part.bounds.items():
            groups.setdefault(bound, {})[name] = part.bare(name)
    rates: dict[str, Tensor] = {}
    for bound, bare in groups.items():
        rates |= zip(bare, bound.forward(torch.stack(list(bare.values()))).unbind(0), strict=True)
    for part in parts:
        part.settle(rates)
    return rates


@dataclass(frozen=True, kw_only=True)
class CalciumBuffer(Config):
    """Calcium that binds to a buffer and is let go later: a slow reserve of calcium. on, off: shares per token. Without it all
    calcium is free."""

    on: float = number(0.3, 0.0, 1.0, open_ends=True)
    off: float = number(0.1, 0.0, 10.0, open_ends=True)

    def build(self, heads: int) -> Rates:
        return Rates(heads, kon=(self.on, SHARE), koff=(self.off, POSITIVE))


@dataclass(frozen=True, kw_only=True)
class Doc2(Config):
    """Asynchronous release, by the calcium that earlier queries left and by nothing else: a second, slow channel beside the
    fast one (Yao et al., 2011). half: calcium at which it is half open."""

    gain: float = number(0.05, 0.0, 100.0, open_ends=True)
    half: float = number(0.8, 0.0, 100.0, open_ends=True)

    def build(self, heads: int) -> Rates:
        return Rates(heads, eta=(self.gain, POSITIVE), k3=(self.half, POSITIVE))


@dataclass(frozen=True, kw_only=True)
class Complexin(Config):
    """The clamp on synchronous release, which release wears off and time puts back (Südhof, 2013). rest: how much of the
    release it holds back in a rested synapse. Without it the clamp stays at one half."""

    rest: float = number(0.5, 0.0, 1.0, open_ends=True)
    recovery: float = number(0.15, 0.0, 1.0, open_ends=True)
    cost: float = number(0.3, 0.0, 1.0, open_ends=True)

    def check(self) -> None:
        _check(self)

    def build(self, heads: int) -> Rates:
        return Recovery(heads, "x", self.recovery, self.cost, x0=(self.rest, SHARE))


@dataclass(frozen=True, kw_only=True)
class Snare(Config):
    """SNARE complexes, which release takes apart and which are put together again. Without them they are always there."""

    recovery: float = number(0.05, 0.0, 1.0, open_ends=True)
    cost: float = number(0.3, 0.0, 1.0, open_ends=True)

    def check(self) -> None:
        _check(self)

    def build(self, heads: int) -> Rates:
        return Recovery(heads, "s", self.recovery, self.cost)


@dataclass(frozen=True, kw_only=True)
class SynapticEnergy(Config):
    """Energy, which release spends and which scales what a release counts. Without it there is always enough."""

    recovery: float = number(0.02, 0.0, 1.0, open_ends=True)
    cost: float = number(0.1, 0.0, 1.0, open_ends=True)

    def check(self) -> None:
        _check(self)

    def build(self, heads: int) -> Rates:
        return Recovery(heads, "e", self.recovery, self.cost)


def _check(part: Snare | SynapticEnergy | Complexin) -> None:
    if part.recovery + part.cost >= 1:
        name = type(part).__name__
        raise ConfigError(f"{name}: recovery = {part.recovery} and cost = {part.cost} must add up to less than 1")
