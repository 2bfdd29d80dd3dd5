"""Septin: neighbouring keys inhibit each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from wetware.config import Config, number
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class SeptinInhibition(Config):
    """Lateral inhibition between neighbouring keys, on the shares a of attention::

        a_j <- a_j (1 - tanh(x) mean of a_i over the keys i within ``window`` of j, j itself left out),   then sum to 1 again

    x is learned for each head, ``strength`` at the start (0 changes nothing); below 0 neighbours help each other. Only keys
    that the query sees have a share, so nothing of the future enters. Septins bound where vesicles fuse; that their barrier
    sharpens attention is an analogy. It stands after release, so that keys stay independent of each other there.
    """

    neutral: ClassVar[bool] = True

    window: int = number(2, 1, 1024)
    strength: float = number(0.0, -10.0, 10.0)

    def build(self, heads: int) -> Inhibition:
        return Inhibition(self, heads)


class Inhibition(nn.Module):
    """See :class:`SeptinInhibition`. The op ``inhibited_softmax`` computes with ``pull`` and ``window``."""

    def __init__(self, config: SeptinInhibition, heads: int) -> None:
        super().__init__()
        self.window = config.window
        self.strength = parameter(heads, draw=filled(config.strength), role=NEURON)

    def pull(self) -> Tensor:
        """``tanh(x)``, [H]."""
        return torch.tanh(self.strength)
