"""Real Sam at the sizes that make sense here."""

from __future__ import annotations

from wetware.layers import STESpikes
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
