"""The feed-forward half of a transformer block."""

from __future__ import annotations

from torch import Tensor, nn

from wetware.layers.linear import Linear


class MLP(nn.Module):
    """``W2 relu(W1 x)^2`` (So et al., Primer, 2021): width -> expansion * width -> width."""

    def __init__(self, width: int, expansion: float, depth: int) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.up = Linear(width, hidden)
        self.down = Linear(hidden, width, scale=(2 * depth) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.up(x).relu().square())
