"""Routing: how well each expert suits a token, and what keeps experts from wanting the same."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from wetware.config import Config, number
from wetware.layers.linear import Linear
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, normal, parameter


@dataclass(frozen=True, kw_only=True)
class Routing(Config):
    """A slot for what a token and an expert make of each other."""

    abstract: ClassVar[bool] = True

    def build(self, *, width: int, slots: int) -> Router:
        raise NotImplementedError


class Router(nn.Module, Counted):
    """Scores of slots. Parameters named in ``rows`` have one row a slot, which is what an expert inherits when another one is
    split; they are neuron's parameters, so that no optimizer mixes the rows of a matrix."""

    rows: ClassVar[tuple[str, ...]]

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """x: normed vectors [..., width], to scores [..., slots]."""

    def codes(self) -> Tensor:
        """What each slot answers to, [slots, n]."""
        return torch.cat([getattr(self, name).flatten(1) for name in self.rows], 1)

    def operations(self, work: Workload) -> Iterator[Operation]:
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                yield Operation(name, weight.shape[-1], weight.numel() / weight.shape[-1], weights=(weight,))


@dataclass(frozen=True, kw_only=True)
class DotRouting(Routing):
    """``score_e = w_e . x``, the common router (Shazeer et al., 2017); rows from N(0, 1/width)."""

    def build(self, *, width: int, slots: int) -> Router:
        return DotRouter(width, slots)


class DotRouter(Router):
    """See :class:`DotRouting`."""

    rows = ("weight",)

    def __init__(self, width: int, slots: int) -> None:
        super().__init__()
        self.weight = parameter(slots, width, draw=normal(width**-0.5), role=NEURON)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight)


@dataclass(frozen=True, kw_only=True)
class RabSnareRouting(Routing):
    """A vesicle goes where two codes fit::

        score_e = v . t_e / sqrt(d) + r . u_e / sqrt(d) - softplus(xi) ||v - t_e|| / sqrt(d),   v = V x,  r = R x

    v: cargo code of the token (v-SNARE), t_e: t-SNARE of the expert; r: the token's Rab, u_e: the effector that holds it. All
    of ``dim`` numbers. After how membranes find each other (Rothman, 1994; Zerial and McBride, 2001); an analogy: what is
    left of it is that fit in the first code is bounded above, where a dot product alone grows with the code.
    """

    dim: int = number(16, 1, 4096)

    def build(self, *, width: int, slots: int) -> Router:
        return RabSnareRouter(width, slots, self.dim)


class RabSnareRouter(Router):
    """See :class:`RabSnareRouting`."""

    rows = ("snare", "effector")

    def __init__(self, width: int, slots: int, dim: int) -> None:
        super().__init__()
        self.cargo, self.rab = Linear(width, dim), Linear(width, dim)
        self.snare = parameter(slots, dim, draw=normal(1.0), role=NEURON)
        self.effector = parameter(slots, dim, draw=normal(1.0), role=NEURON)
        self.mismatch = parameter(1, draw=filled(-1.0), role=NEURON)

    def forward(self, x: Tensor) -> Tensor:
        cargo, scale = self.cargo(x), self.snare.shape[1] ** -0.5
        fit = functional.linear(cargo, self.snare) + functional.linear(self.rab(x), self.effector)
        # the root of a sum of squares has no gradient at 0
        away = ((cargo.unsqueeze(-2) - self.snare).square().sum(-1) + 1e-6).sqrt()
        return scale * (fit - functional.softplus(self.mismatch) * away)


@dataclass(frozen=True, kw_only=True)
class UltrametricRouting(Routing):
    """Experts are leaves of a tree with ``base`` branches at each of ``depth`` levels; a token goes down::

        m_l = sum_d softmax(W_l x)_d softmax(a_el)_d        how well digit l of the token's address matches that of expert e
        score_e = s sum_l prod_{j <= l} m_j                 a digit counts only as far as those above it matched

    Addresses a [slots, depth, base] are learned and start near the digits of the slot's number. Experts below one branch share
    what was scored above it, which is what a distance between leaves in an ultrametric space is (Khrennikov, 2004); the soft
    digits make it only nearly one.
    """

    depth: int = number(3, 1, 16)
    base: int = number(2, 2, 64)

    def build(self, *, width: int, slots: int) -> Router:
        return UltrametricRouter(width, slots, self.depth, self.base)


class UltrametricRouter(Router):
    """See :class:`UltrametricRouting`."""

    rows = ("address",)

    def __init__(self, width: int, slots: int, depth: int, base: int) -> None:
        super().__init__()
        self.digits = Linear(width, depth * base)
        self.address = parameter(slots, depth, base, draw=near_digits(2.0, 0.2), role=NEURON)
        self.sharpness = parameter(1, draw=filled(4.0), role=NEURON)

    def forward(self, x: Tensor) -> Tensor:
        depth, base = self.address.shape[1:]
        token = self.digits(x).unflatten(-1, (depth, base)).softmax(-1)
        match = torch.einsum("...lb,elb->...el", token, self.address.softmax(-1))
        return self.sharpness * match.cumprod(-1).sum(-1)


def near_digits(height: float, deviation: float) -> Any:
    """A draw of addresses [slots, depth, base]: ``height`` at the digits of the slot's number, most significant first, and
    noise."""
    return partial(_near_digits, height, deviation)


def _near_digits(height: float, deviation: float, tensor: Tensor, generator: Generator) -> None:
    slots, depth, base = tensor.shape
    places = base ** torch.arange(depth - 1, -1, -1)
    digits = torch.arange(slots)[:, None] // places % base
    tensor.normal_(0.0, deviation, generator=generator)
    tensor += height * functional.one_hot(digits, base).to(tensor)


@dataclass(frozen=True, kw_only=True)
class RouterInhibition(Config):
    """Lateral inhibition between experts: the loss ``push * mean of relu(cos)^2`` over pairs of codes of living experts, so
    that what answers to the same thing is pushed apart. Only likeness is inhibited: unlike pairs are left alone."""

    push: float = number(0.01, 0.0, 10.0)

    def loss(self, codes: Tensor, alive: Tensor) -> Tensor:
        """codes: [slots, n]. alive: bool [slots]."""
        unit = functional.normalize(codes[alive], dim=1)
        pairs = (unit @ unit.T).triu(1).relu().square()
        count = len(unit) * (len(unit) - 1) // 2
        return self.push * pairs.sum() / max(count, 1)
