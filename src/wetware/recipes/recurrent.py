"""The plain recurrent models, at the sizes of the models they are measured against."""

from __future__ import annotations

from wetware.models import GRU, LSTM
from wetware.training import Run


def gru_small() -> Run:
    """Gated recurrent units with as many parameters as real_sam_small: 2 layers of 198."""
    return Run(model=GRU(width=198, depth=2, embedding=128))


def lstm_small() -> Run:
    """Long short-term memory with as many parameters as real_sam_small: 2 layers of 174."""
    return Run(model=LSTM(width=174, depth=2, embedding=128))
