"""From the last hidden vector to the logits."""

from __future__ import annotations

from torch import Tensor, nn

from wetware.kernels import rms_norm
from wetware.layers.linear import Linear
from wetware.parameters import NEURON, filled, parameter


class TiedReadout(nn.Module):
    """``logits = scale * rms_norm(W rms_norm(h)) E^T`` with E, the table of token vectors, shared with the encoder.

    What is read is the continuous residual stream, not the spikes: a spike has two levels, and a softmax over thousands of
    tokens needs more. ``scale`` is learned; it starts where the first loss is that of a uniform guess, within a per cent.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.out = Linear(width, size)
        self.scale = parameter(1, draw=filled(0.5), role=NEURON)

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        features = rms_norm(self.out(rms_norm(hidden)))
        return features * self.scale @ table.T
