"""Taggers of private data, of equal size."""

from __future__ import annotations

from wetware.tagging import BothWays, Delayed, GRUCell, Tagger, TagRun


def tag_spiking() -> TagRun:
    """Spiking layers that read a text forward and from its end."""
    return TagRun()


def tag_delayed() -> TagRun:
    """Spiking layers that read one way and tag each character 4 characters later: for streams."""
    return TagRun(model=Tagger(width=188, context=Delayed()))


def tag_gru() -> TagRun:
    """The baseline: a GRU both ways (BiGRU)."""
    return TagRun(model=Tagger(width=97, cell=GRUCell(), context=BothWays()))
