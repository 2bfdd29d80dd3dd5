"""The plain transformer, at the sizes of the models it is measured against."""

from __future__ import annotations

from wetware.layers import SelfAttention
from wetware.models import GPT
from wetware.training import Run


def gpt() -> Run:
    """The plain transformer with as many parameters as real_sam: 6 layers of width 272, window 128."""
    return Run(model=GPT(width=272, depth=6, attention=SelfAttention(heads=4, window=128)))


def gpt_base() -> Run:
    """The plain transformer with as many parameters as real_sam_base: 4 layers of width 140, window 64."""
    return Run(model=GPT(width=140, depth=4, attention=SelfAttention(heads=2, window=64)))


def gpt_small() -> Run:
    """The plain transformer with as many parameters as real_sam_small: 4 layers of width 112, window 64."""
    return Run(model=GPT(width=112, depth=4, attention=SelfAttention(heads=2, window=64)))
