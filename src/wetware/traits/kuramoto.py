"""Kuramoto coupling: oscillators that a text pushes, and that pull each other into step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from wetware.config import number
from wetware.kernels import kuramoto_scan, rms_norm
from wetware.layers import Linear
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, constant, filled, normal, parameter
from wetware.traits.trait import Context, Passed, Place, Trait, TraitConfig


@dataclass(frozen=True, kw_only=True)
class Kuramoto(TraitConfig):
    """G = ``oscillators`` on the unit sphere in n = ``dimension`` dimensions, one step a token; with c = W_c rms_norm(f)::

        y_g  = c_g + (L R^T x)_g + K * mean over all oscillators of x
        x_g <- normalise(x_g + step * (Omega_g x_g + y_g - <y_g, x_g> x_g))
        out  = f + tanh(a) W_o x,  a = 0 at first

    Kuramoto, 1975; on a sphere, driven by a stimulus: AKOrN (Miyato et al., 2024, arXiv 2410.13821), which takes many steps for
    one image; here the state goes on from token to token. Omega is antisymmetric: each oscillator turns by itself. L R^T, of
    ``rank``, couples pairs, K (``coupling`` at the start, learned) all with all. What it is: a small recurrent network on a
    product of spheres, whose synchrony can be seen (:func:`order_parameter`).

    step: gamma; about 1 / gamma tokens pass until a drive of length 1 has turned an oscillator. spread: deviation of the
    entries of Omega, radians a token at step 1. State: x, [B, n, G]; a document starts at fixed random x.
    """

    neutral: ClassVar[bool] = True

    oscillators: int = number(32, 1, 65_536)
    dimension: int = number(4, 2, 64)
    rank: int = number(8, 1, 4096)
    coupling: float = number(1.0, -100.0, 100.0)
    step: float = number(0.2, 0.0, 10.0, open_ends=True)
    spread: float = number(1.0, 0.0, 100.0)

    def build(self, place: Place) -> KuramotoTrait:
        return KuramotoTrait(self, place.width)


def order_parameter(oscillators: Tensor) -> Tensor:
    """``r = |mean over oscillators of x|``, from [..., n, G] to [...]: 1 when all point one way, about ``G^-1/2`` when each
    points where it likes (Kuramoto, 1975)."""
    return oscillators.mean(-1).norm(dim=-1)


class KuramotoTrait(Trait, Counted):
    """See :class:`Kuramoto`."""

    start: Tensor

    def __init__(self, config: Kuramoto, width: int) -> None:
        super().__init__()
        self.config = config
        n, count = config.dimension, config.oscillators
        size = n * count
        self.drive = Linear(width, size, scale=n**-0.5)  # of length 1 for each oscillator
        self.out = Linear(size, width, scale=n**0.5)  # x has entries of n^-1/2
        self.right = parameter(size, config.rank, draw=normal(count**-0.5))
        self.left = parameter(size, config.rank, draw=normal((n * config.rank) ** -0.5))
        self.turns = parameter(n * (n - 1) // 2, count, draw=normal(config.spread), role=NEURON)
        self.coupling = parameter(1, draw=filled(config.coupling), role=NEURON)
        self.opening = parameter(1, draw=filled(0.0), role=NEURON)
        self.register_buffer("start", constant(n, count, draw=_on_the_sphere))

    def init_state(self, batch: int) -> Tensor:
        return self.start.expand(batch, -1, -1).clone()

    def operations(self, work: Workload) -> Iterator[Operation]:
        """All are products of real numbers."""
        for name, linear in {"drive": self.drive, "out": self.out}.items():
            outputs, inputs = linear.weight.shape
            yield Operation(name, inputs, outputs, weights=(linear.weight,))
        size, rank = self.right.shape
        yield Operation("right", size, rank, weights=(self.right,))
        yield Operation("left", rank, size, weights=(self.left,))
        yield Operation("turns", size, self.config.dimension, weights=(self.turns,))

    def rotation(self) -> Tensor:
        """Omega, [n, n, G]: ``turns`` above its diagonal, minus them below."""
        n, count = self.start.shape
        upper = self.turns.new_zeros(n, n, count)
        first, second = torch.triu_indices(n, n, 1)
        upper[first, second] = self.turns
        return upper - upper.transpose(0, 1)

    def walk(self, hidden: Tensor, state: Any, context: Context) -> Tensor:
        """The oscillators after each token, [B, T, n, G]."""
        wide = self.start.dtype
        drive = self.drive(rms_norm(hidden)).to(wide).unflatten(-1, self.start.shape)
        with torch.autocast(hidden.device.type, enabled=False):  # a step may be shorter than what bfloat16 tells apart
            keep = None if context.keep is None else context.keep.to(wide)
            pairs = (self.left, self.right, self.coupling)
            return kuramoto_scan(drive, state, self.start, self.rotation(), *pairs, keep, step=self.config.step)

    def forward(self, hidden: Tensor, state: Any, context: Context) -> Passed:
        x = self.walk(hidden, state, context)
        return Passed(hidden + torch.tanh(self.opening) * self.out(x.flatten(-2)), x[:, -1].clone())

    def trace(self, hidden: Tensor, state: Any, context: Context) -> Mapping[str, Tensor]:
        """``order``: the :func:`order_parameter` after each token."""
        return {"order": order_parameter(self.walk(hidden, state, context))}


def _on_the_sphere(tensor: Tensor, generator: Generator) -> None:
    tensor.normal_(generator=generator)
    tensor.div_(tensor.norm(dim=0))
