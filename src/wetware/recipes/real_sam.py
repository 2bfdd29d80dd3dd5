"""Real Sam at the sizes that make sense here."""

from __future__ import annotations

from wetware.data import BPE
from wetware.layers import InputGate, SpikingBlock, STESpikes
from wetware.models import RealSam
from wetware.training import Run


def real_sam() -> Run:
    """Real Sam V4 at its author's sizes: 6 blocks of 512 neurons, 256-bit token code."""
    return Run(model=RealSam())


def real_sam_base() -> Run:
    """Real Sam V4 for an hour on a laptop: 4 blocks of 256 neurons, 128-bit token code."""
    return Run(model=RealSam(width=256, depth=4, encoder=STESpikes(bits=128)))


def real_sam_small() -> Run:
    """Real Sam V4 for a few minutes on a laptop: 2 blocks of 256 neurons, 128-bit token code."""
    return Run(model=RealSam(width=256, depth=2, encoder=STESpikes(bits=128)))


def real_sam_mini() -> Run:
    """Real Sam V4 for studies with many seeds: 2 blocks of 192 neurons, 96-bit token code, 1024 tokens."""
    model = RealSam(
        vocab_size=1024, width=192, depth=2, encoder=STESpikes(bits=96), block=SpikingBlock(gate=InputGate(rank=48))
    )
    return Run(model=model, tokenizer=BPE(vocab_size=1024))
