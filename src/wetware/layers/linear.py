"""A linear map without bias, drawn by path."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from wetware.parameters import normal, parameter


class Linear(nn.Module):
    """``y = W x``, W [outputs, inputs], drawn from ``N(0, scale^2 / inputs)``: input of variance 1 gives ``scale^2``."""

    def __init__(self, inputs: int, outputs: int, scale: float = 1.0) -> None:
        super().__init__()
        self.weight = parameter(outputs, inputs, draw=normal(scale * inputs**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight)
