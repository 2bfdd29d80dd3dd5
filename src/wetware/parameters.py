"""Parameters that know how they are drawn and which optimizer group they belong to.

Every parameter is drawn from its own generator, keyed by (seed, path in the model). Taking one part out of a model therefore
leaves every other parameter exactly as it was, which is what makes an ablation a comparison of one thing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor, nn

Draw = Callable[[Tensor, Generator], object]

MATRIX, EMBEDDING, NEURON = "matrix", "embedding", "neuron"
ROLES = (MATRIX, EMBEDDING, NEURON)


def parameter(*shape: int, draw: Draw, role: str = MATRIX) -> nn.Parameter:
    """A parameter of ``shape`` that :func:`initialize` will fill by ``draw``.

    ``role`` picks the optimizer group: ``matrix`` (weights between layers), ``embedding`` (tables of token vectors),
    ``neuron`` (decays, thresholds, gains, gates' biases: no weight decay, a larger rate).
    """
    return _drawn(torch.empty(*shape), True, draw, role)


class Drawn(nn.Parameter):
    """A parameter with its ``draw`` and ``role``, which copies of the model keep."""

    draw: Draw
    role: str

    def __deepcopy__(self, memo: dict[int, Any]) -> Drawn:
        if id(self) not in memo:
            data = self.data.clone(memory_format=torch.preserve_format)
            memo[id(self)] = _drawn(data, self.requires_grad, self.draw, self.role)
        return memo[id(self)]

    def __reduce_ex__(self, proto: Any) -> Any:
        return _drawn, (self.data, self.requires_grad, self.draw, self.role)


def _drawn(data: Tensor, requires_grad: bool, draw: Draw, role: str) -> Drawn:
    made = Drawn(data, requires_grad)
    made.draw, made.role = draw, role
    return made


def constant(*shape: int, draw: Draw, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor for ``register_buffer`` that :func:`initialize` will fill by ``draw``: fixed, but saved with the model."""
    made = torch.empty(*shape, dtype=dtype)
    made.draw = draw  # ty: ignore[missing-attribute]
    return made


def role(tensor: Tensor) -> str:
    """The optimizer group of a parameter made by :func:`parameter`."""
    return getattr(tensor, "role", MATRIX if tensor.ndim == 2 else NEURON)


def keyed_generator(seed: int, path: str) -> Generator:
    """A generator whose stream depends on ``seed`` and ``path`` alone."""
    digest = hashlib.sha256(f"{seed}/{path}".encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


@torch.no_grad()
def initialize(module: nn.Module, seed: int) -> None:
    """Draw every parameter and constant of ``module`` in place. Those on the meta device are left alone."""
    for path, tensor in (*module.named_parameters(), *module.named_buffers()):
        if not tensor.is_meta and (draw := getattr(tensor, "draw", None)) is not None:
            draw(tensor, keyed_generator(seed, path))


# ------------------------------------------------------------------------------------------------------- distributions
# Functions of (tensor, generator), made of functions that have a name, so that a model can be pickled.


def normal(deviation: float, mean: float = 0.0) -> Draw:
    return partial(_normal, mean, deviation)


def _normal(mean: float, deviation: float, tensor: Tensor, generator: Generator) -> None:
    tensor.normal_(mean, deviation, generator=generator)


def filled(value: float) -> Draw:
    return partial(_filled, value)


def _filled(value: float, tensor: Tensor, generator: Generator) -> None:
    tensor.fill_(value)


def orthogonal(gain: float) -> Draw:
    """A square matrix ``gain * Q``, with Q from the uniform distribution over all orthogonal matrices."""
    return partial(_orthogonal, gain)


def _orthogonal(gain: float, tensor: Tensor, generator: Generator) -> None:
    q, r = torch.linalg.qr(torch.empty(tensor.shape).normal_(generator=generator))
    tensor.copy_(gain * q * r.diagonal().sign())


def hollow(draw: Draw) -> Draw:
    """``draw`` with its diagonal set to zero: a spiking neuron's memory of itself is its decay's business."""
    return partial(_hollow, draw)


def _hollow(draw: Draw, tensor: Tensor, generator: Generator) -> None:
    draw(tensor, generator)
    tensor.fill_diagonal_(0.0)


def stacked(*draws: Draw) -> Draw:
    """Equal parts along the first dimension, each by a draw of its own: the gates of one cell, kept in one matrix."""
    return partial(_stacked, draws)


def _stacked(draws: tuple[Draw, ...], tensor: Tensor, generator: Generator) -> None:
    for part, draw in zip(tensor.chunk(len(draws)), draws, strict=True):
        draw(part, generator)


def log_normal(deviation: float) -> Draw:
    """LogNormal with mean 1: ``exp(deviation * z - deviation^2 / 2)``."""
    return partial(_log_normal, deviation)


def _log_normal(deviation: float, tensor: Tensor, generator: Generator) -> None:
    tensor.normal_(-0.5 * deviation**2, deviation, generator=generator).exp_()


def log_spaced_decays(shortest: float, longest: float) -> Draw:
    """Decays ``exp(-1 / tau)`` with ``tau`` spaced evenly in the logarithm from ``shortest`` to ``longest`` tokens."""
    return partial(_log_spaced_decays, shortest, longest)


def _log_spaced_decays(shortest: float, longest: float, tensor: Tensor, generator: Generator) -> None:
    tensor.copy_(torch.exp(-torch.logspace(math.log10(shortest), math.log10(longest), tensor.numel()).reciprocal()))


def through(inverse: Callable[[Tensor], Tensor], draw: Draw) -> Draw:
    """Draw a value and store ``inverse(value)``: for parameters kept in another coordinate (a decay as its logit)."""
    return partial(_through, inverse, draw)


def _through(inverse: Callable[[Tensor], Tensor], draw: Draw, tensor: Tensor, generator: Generator) -> None:
    draw(tensor, generator)
    tensor.copy_(inverse(tensor))
