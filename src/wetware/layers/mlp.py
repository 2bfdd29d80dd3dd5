"""The feed-forward half of a transformer block."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from wetware.layers.linear import Linear
from wetware.operations import Counted, Operation, Workload


class MLP(nn.Module, Counted):
    """``W2 relu(W1 x)^2`` (So et al., Primer, 2021): width -> expansion * width -> width."""

    def __init__(self, width: int, expansion: float, depth: int) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.up = Linear(width, hidden)
        self.down = Linear(hidden, width, scale=(2 * depth) ** -0.5)

    def operations(self, work: Workload) -> Iterator[Operation]:
        for name, weight in (("up", self.up.weight), ("down", self.down.weight)):
            yield Operation(name, weight.shape[1], weight.shape[0], weights=(weight,))

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.up(x).relu().square())
