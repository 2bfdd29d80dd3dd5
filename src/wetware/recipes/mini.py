"""Models of 0.4 million parameters for studies with many seeds: a million tokens take one or two minutes of one core."""

from __future__ import annotations

from dataclasses import replace

from wetware.data import BPE
from wetware.layers import InputGate, SelfAttention, SpikingBlock, STESpikes
from wetware.models import GPT, GRU, LSTM, ModelConfig, RealSam
from wetware.training import AdamW, Run, Training


def real_sam_mini() -> Run:
    """Real Sam V4 for studies with many seeds: 2 blocks of 192 neurons, 96-bit token code, 1024 tokens."""
    return _mini(RealSam(width=192, depth=2, encoder=STESpikes(bits=96), block=SpikingBlock(gate=InputGate(rank=48))))


def gpt_mini() -> Run:
    """The plain transformer with as many parameters as real_sam_mini: 2 layers of width 108, window 64."""
    return _mini(GPT(width=108, depth=2, attention=SelfAttention(heads=2, window=64)))


def gru_mini() -> Run:
    """Gated recurrent units with as many parameters as real_sam_mini: 2 layers of 148."""
    return _mini(GRU(width=148, depth=2, embedding=96))


def lstm_mini() -> Run:
    """Long short-term memory with as many parameters as real_sam_mini: 2 layers of 130."""
    return _mini(LSTM(width=130, depth=2, embedding=96))


def _mini(model: ModelConfig) -> Run:
    """Twice the usual rates: narrow models take more. Of half, once, twice and four times, twice was best or within 0.002 bits
    per byte of it for each of the four after 200 k tokens of sotu (one seed), and better than once after 500 k."""
    optimizer = AdamW(matrix=8e-3, embedding=2.4e-2, neuron=2e-2)
    tokenizer = BPE(vocab_size=1024)
    model = replace(model, vocab_size=tokenizer.vocab_size)  # a run would fit it; listings count parameters before
    return Run(model=model, tokenizer=tokenizer, training=Training(optimizer=optimizer))
