"""GRU: gated recurrent units, as a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from wetware.models.recurrent import Recurrent, RecurrentLayer


@dataclass(frozen=True, kw_only=True)
class GRU(Recurrent):
    """Layers of gated recurrent units (Cho et al., 2014, in the form of cuDNN: the reset gate after the product)::

    r, z = sigmoid(W x_t + b + U h_{t-1})
    n    = tanh(W x_t + b + r * (U h_{t-1}))
    h_t  = (1 - z) * n + z * h_{t-1}
    """

    def cell(self) -> GRULayer:
        return GRULayer(self.width)

    @classmethod
    def tiny(cls) -> GRU:
        return cls(vocab_size=67, boundary=0, width=32, depth=2, embedding=24)


class GRUState(NamedTuple):
    """The last output, [B, N]."""

    hidden: Tensor


class GRULayer(RecurrentLayer):
    """See :class:`GRU`. Rows: r, z, n."""

    gates: ClassVar[int] = 3

    def init_state(self, batch: int) -> GRUState:
        return GRUState(self.zeros(batch))

    def walk(self, x: Tensor, state: Any) -> tuple[Tensor, GRUState]:
        output, hidden = torch.gru(x, state.hidden[None], self.weights(), True, 1, 0.0, True, False, True)
        return output, GRUState(hidden[0])
