"""Dual weights: a slow matrix that is read beside the fast one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from wetware.config import Config
from wetware.parameters import filled, parameter
from wetware.plasticity.consolidation import Consolidating, Consolidation, layer_number
from wetware.plasticity.rule import Rule


@dataclass(frozen=True, kw_only=True)
class DualWeights(Config):
    """``y = (A + S)^T q``: beside the fast weights A of a sequence, slow weights S of each head, the same for all sequences,
    which are learned by gradient (Hinton and Plaut, 1987, fast weights on top of slow ones) and, with ``consolidation``, by
    that rule. S is 0 at first."""

    neutral: ClassVar[bool] = True

    consolidation: Consolidation | None = Consolidation()

    def build(self, *, heads: int, size: int) -> SlowWeights:
        return SlowWeights(self, heads, size)


class SlowWeights(nn.Module):
    """See :class:`DualWeights`."""

    layer: Tensor

    def __init__(self, config: DualWeights, heads: int, size: int) -> None:
        super().__init__()
        self.config = config
        self.matrix = parameter(heads, size, size, draw=filled(0.0))
        if config.consolidation:
            self.register_buffer("layer", layer_number())

    def rule(self) -> Rule | None:
        given = self.config.consolidation
        return Consolidating(given, self.matrix, self.layer) if given else None

    def forward(self, query: Tensor) -> Tensor:
        """``S^T q``, [B, T, H, D] to [B, T, H, D]."""
        rows = query.flatten(0, 1).transpose(0, 1)  # [H, B T, D], a view that products take as it is
        return (rows @ self.matrix).transpose(0, 1).unflatten(0, query.shape[:2])
