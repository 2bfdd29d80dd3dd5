"""The plain recurrent models, at the sizes of the models they are measured against."""

from __future__ import annotations

from wetware.data import BPE
from wetware.models import GRU, LSTM
from wetware.training import Run


def gru_small() -> Run:
    """Gated recurrent units with as many parameters as real_sam_small: 2 layers of 198."""
    return Run(model=GRU(width=198, depth=2, embedding=128))


def gru_mini() -> Run:
    """Gated recurrent units with as many parameters as real_sam_mini: 2 layers of 148."""
    return Run(model=GRU(vocab_size=1024, width=148, depth=2, embedding=96), tokenizer=BPE(vocab_size=1024))


def lstm_small() -> Run:
    """Long short-term memory with as many parameters as real_sam_small: 2 layers of 174."""
    return Run(model=LSTM(width=174, depth=2, embedding=128))


def lstm_mini() -> Run:
    """Long short-term memory with as many parameters as real_sam_mini: 2 layers of 130."""
    return Run(model=LSTM(vocab_size=1024, width=130, depth=2, embedding=96), tokenizer=BPE(vocab_size=1024))
