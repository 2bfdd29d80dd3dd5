"""SpikeWhale at its author's size and at sizes that train here."""

from __future__ import annotations

from dataclasses import replace

from wetware.data import BPE
from wetware.models import SpikeWhale
from wetware.training import Calibration, Run, Training


def spikewhale_1m() -> Run:
    """SpikeWhale of 0.9 million parameters, without traits, for studies: 3 layers of 256 neurons, 2048 tokens."""
    return _run(SpikeWhale(width=256, depth=3, embedding=192), vocab_size=2048)


def spikewhale_6m() -> Run:
    """SpikeWhale of 5.7 million parameters for an hour on a laptop: 4 layers of 640 neurons, 4096 tokens."""
    return _run(SpikeWhale(width=640, depth=4, embedding=384), vocab_size=4096)


def spikewhale_20m() -> Run:
    """SpikeWhale of 21 million parameters for a night on a laptop: 4 layers of 1280 neurons, 8192 tokens."""
    return _run(SpikeWhale(width=1280, depth=4, embedding=640), vocab_size=8192)


def _run(model: SpikeWhale, vocab_size: int) -> Run:
    """Layers start at the rate that the firing floor asks for: one that starts below it is driven up at once, and
    overshoots."""
    tokenizer = BPE(vocab_size=vocab_size)
    model = replace(model, vocab_size=tokenizer.vocab_size)  # a run would fit it; listings count parameters before
    return Run(model=model, tokenizer=tokenizer, training=Training(calibration=Calibration(rate=0.2)))
