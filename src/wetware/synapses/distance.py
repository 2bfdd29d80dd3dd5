"""Distance: what lies far back counts less, by a slope that each head learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from wetware.config import Config, number
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class DistanceBarrier(Config):
    """``d_tj <- d_tj - b log(1 + t - j)``, b learned for each head, ``slope`` at the start (0 changes nothing).

    Nothing is divided by the length of the text, so what a token sees does not depend on what follows. A power law in the
    shares of attention; ALiBi (Press, Smith and Lewis, 2022) has it linear, hence exponential.
    """

    neutral: ClassVar[bool] = True

    slope: float = number(0.0, -10.0, 10.0)

    def build(self, heads: int) -> Barrier:
        return Barrier(self, heads)


class Barrier(nn.Module):
    """See :class:`DistanceBarrier`. The op ``inhibited_softmax`` computes with ``slope``, [H]."""

    def __init__(self, config: DistanceBarrier, heads: int) -> None:
        super().__init__()
        self.slope = parameter(heads, draw=filled(config.slope), role=NEURON)
