"""Parameters that know how they are drawn and which optimizer group they belong to.

Every parameter is drawn from its own generator, keyed by (seed, path in the model). Taking one part out of a model therefore
leaves every other parameter exactly as it was, which is what makes an ablation a comparison of one thing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

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
    made = nn.Parameter(torch.empty(*shape))
    made.draw, made.role = draw, role  # ty: ignore[missing-attribute]
    return made


def constant(*shape: int, draw: Draw) -> Tensor:
    """A tensor for ``register_buffer`` that :func:`initialize` will fill by ``draw``: fixed, but saved with the model."""
    made = torch.empty(*shape)
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


def normal(deviation: float, mean: float = 0.0) -> Draw:
    return lambda tensor, generator: tensor.normal_(mean, deviation, generator=generator)


def filled(value: float) -> Draw:
    return lambda tensor, generator: tensor.fill_(value)


def orthogonal(gain: float) -> Draw:
    """A square matrix ``gain * Q`` with its diagonal set to zero: a neuron's memory of itself is its decay's business."""

    def draw(tensor: Tensor, generator: Generator) -> None:
        q, r = torch.linalg.qr(torch.empty(tensor.shape).normal_(generator=generator))
        tensor.copy_(gain * q * r.diagonal().sign()).fill_diagonal_(0.0)

    return draw


def log_normal(deviation: float) -> Draw:
    """LogNormal with mean 1: ``exp(deviation * z - deviation^2 / 2)``."""

    def draw(tensor: Tensor, generator: Generator) -> None:
        tensor.normal_(-0.5 * deviation**2, deviation, generator=generator).exp_()

    return draw


def log_spaced_decays(shortest: float, longest: float) -> Draw:
    """Decays ``exp(-1 / tau)`` with ``tau`` spaced evenly in the logarithm from ``shortest`` to ``longest`` tokens."""

    def draw(tensor: Tensor, generator: Generator) -> None:
        tensor.copy_(torch.exp(-(torch.logspace(math.log10(shortest), math.log10(longest), tensor.numel()) ** -1)))

    return draw


def through(inverse: Callable[[Tensor], Tensor], draw: Draw) -> Draw:
    """Draw a value and store ``inverse(value)``: for parameters kept in another coordinate (a decay as its logit)."""

    def both(tensor: Tensor, generator: Generator) -> None:
        draw(tensor, generator)
        tensor.copy_(inverse(tensor))

    return both
