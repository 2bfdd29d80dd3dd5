"""Two hops: attention to what attended-to tokens attended to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from wetware.config import Config, number
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class TwoHop(Config):
    """Simplicial attention of second order: ``y = A v + mu A (A v)``, A the shares, mu learned for each head, ``strength`` at
    the start (0 changes nothing).

    A path t - i - j over two edges counts as the product of their shares: diffusion over two steps, a cheap stand-in for
    attention over triples (Clift et al., 2020). The second hop costs one more product with A, and one more cached value a
    token.
    """

    neutral: ClassVar[bool] = True

    strength: float = number(0.0, -10.0, 10.0)

    def build(self, heads: int) -> SecondHop:
        return SecondHop(self, heads)


class SecondHop(nn.Module):
    """See :class:`TwoHop`."""

    def __init__(self, config: TwoHop, heads: int) -> None:
        super().__init__()
        self.strength = parameter(heads, draw=filled(config.strength), role=NEURON)
