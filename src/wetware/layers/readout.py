"""From the last hidden vector to the logits."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from wetware.kernels import rms_norm
from wetware.layers.linear import Linear
from wetware.operations import Counted, Operation, Workload
from wetware.parameters import NEURON, filled, parameter


class TiedReadout(nn.Module, Counted):
    """``logits = scale * rms_norm(W rms_norm(h)) E^T`` with E, the table of token vectors, shared with the encoder.

    What is read is the continuous residual stream, not the spikes: a spike has two levels, and a softmax over thousands of
    tokens needs more. ``scale`` is learned; it starts where the first loss is that of a uniform guess, within a per cent.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.out = Linear(width, size)
        self.scale = parameter(1, draw=filled(0.5), role=NEURON)

    def operations(self, work: Workload) -> Iterator[Operation]:
        """The stream is real-valued, and so is what it is compared with: all of it multiplies. The table is its owner's."""
        size, width = self.out.weight.shape
        yield Operation("out", width, size, weights=(self.out.weight,))
        yield Operation("table", size, len(work.frequencies))

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        features = rms_norm(self.out(rms_norm(hidden)))
        return features * self.scale @ table.T
