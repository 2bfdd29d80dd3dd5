"""Taggers of private data, of equal size."""

from __future__ import annotations

from dataclasses import replace

from wetware.layers import AxonalDelays
from wetware.tagging import BothWays, Delayed, GRUCell, SpikingCell, Tagger, TagRun


def tag_spiking() -> TagRun:
    """Spiking layers that read a text forward and from its end."""
    return TagRun()


def tag_delayed() -> TagRun:
    """Spiking layers that read one way and score each character 8 characters later: for streams. A quarter of each layer's
    inputs comes 0, 1, 8, 9 characters late."""
    context = Delayed(delay=8)
    block = replace(SpikingCell().block, delays=AxonalDelays(late=(0, 1, context.delay, context.delay + 1)))
    return TagRun(model=Tagger(width=188, cell=SpikingCell(block=block), context=context))


def tag_gru() -> TagRun:
    """The baseline: a GRU both ways (BiGRU)."""
    return TagRun(model=Tagger(width=97, cell=GRUCell(), context=BothWays()))
