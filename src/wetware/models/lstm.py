"""LSTM: long short-term memory, as a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from wetware.config import number
from wetware.models.recurrent import Recurrent, RecurrentLayer
from wetware.parameters import filled, stacked


@dataclass(frozen=True, kw_only=True)
class LSTM(Recurrent):
    """Layers of long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000)::

        i, f, o = sigmoid(W x_t + b + U h_{t-1})
        g       = tanh(W x_t + b + U h_{t-1})
        c_t     = f * c_{t-1} + i * g
        h_t     = o * tanh(c_t)

    forget_bias: where the bias of f starts; at 1 the cell remembers from the start (Jozefowicz et al., 2015).
    """

    forget_bias: float = number(1.0, -20.0, 20.0)

    def cell(self) -> LSTMLayer:
        return LSTMLayer(self.width, self.forget_bias)

    @classmethod
    def tiny(cls) -> LSTM:
        return cls(vocab_size=67, boundary=0, width=32, depth=2, embedding=24)


class LSTMState(NamedTuple):
    """The last output and the cell, [B, N] each."""

    hidden: Tensor
    cell: Tensor


class LSTMLayer(RecurrentLayer):
    """See :class:`LSTM`. Rows: i, f, g, o."""

    gates: ClassVar[int] = 4

    def __init__(self, size: int, forget_bias: float) -> None:
        super().__init__(size, stacked(filled(0.0), filled(forget_bias), filled(0.0), filled(0.0)))

    def init_state(self, batch: int) -> LSTMState:
        return LSTMState(self.zeros(batch), self.zeros(batch))

    def walk(self, x: Tensor, state: Any) -> tuple[Tensor, LSTMState]:
        held = [tensor[None] for tensor in state]
        # oneDNN rounds otherwise where it need not keep what a gradient needs, and what is read must not depend on who asks.
        with torch.enable_grad():
            outputs = torch.lstm(x, held, self.weights(), True, 1, 0.0, True, False, True)
        if not torch.is_grad_enabled():
            outputs = [tensor.detach() for tensor in outputs]
        output, hidden, cell = outputs
        return output, LSTMState(hidden[0], cell[0])
