"""SpikeWhale at its author's size and at sizes that train here."""

from __future__ import annotations

from dataclasses import replace

from wetware.data import BPE
from wetware.models import SpikeWhale
from wetware.training import AdamW, Calibration, Run, Training


def spikewhale_1m() -> Run:
    """SpikeWhale of 1 million parameters, for studies: 3 layers of 256 neurons, 2048 tokens."""
    return _run(SpikeWhale(width=256, depth=3, embedding=192), vocab_size=2048)


def _run(model: SpikeWhale, vocab_size: int) -> Run:
    tokenizer = BPE(vocab_size=vocab_size)
    model = replace(model, vocab_size=tokenizer.vocab_size)
    training = Training(optimizer=AdamW(), calibration=Calibration(rate=0.2))
    return Run(model=model, tokenizer=tokenizer, training=training)
