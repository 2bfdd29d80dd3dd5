"""Peers of equal size: the width that gives a number of parameters, and language models of PyTorch's recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wetware.models import LanguageModel, Output
from wetware.modulation import NEUTRAL, Signals
from wetware.parameters import EMBEDDING, initialize, normal, parameter


class RecurrentLM(LanguageModel):
    """Token table -> recurrent layers of the table's width -> products with the table. Documents are not told apart."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], depth: int, vocabulary: int, width: int) -> None:
        super().__init__()
        self.table = parameter(vocabulary, width, draw=normal(0.05), role=EMBEDDING)
        self.layers = kind(width, width, depth, batch_first=True)
        initialize(self, seed=0)

    def init_state(self, batch: int) -> Any:
        zeros = torch.zeros(self.layers.num_layers, batch, self.layers.hidden_size)
        return (zeros, zeros.clone()) if isinstance(self.layers, nn.LSTM) else zeros

    def forward(self, tokens: Tensor, state: Any = None, *, signals: Signals = NEUTRAL) -> Output:
        hidden, state = self.layers(self.table[tokens], self.init_state(len(tokens)) if state is None else state)
        return Output(hidden @ self.table.T, state)


def matched(make: Callable[[int], LanguageModel], parameters: int, multiple: int) -> int:
    """The width, a multiple of ``multiple``, whose model has the number of parameters nearest to ``parameters``."""

    def count(units: int) -> int:
        with torch.device("meta"):  # shapes without memory
            return make(units * multiple).parameter_count()

    low, high = 1, 2
    while count(high) < parameters:
        high *= 2
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    return multiple * min((low, high), key=lambda units: abs(count(units) - parameters))
