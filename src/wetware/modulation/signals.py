"""Signals: what the world tells every neuron at once."""

from __future__ import annotations

from typing import NamedTuple


class Signals(NamedTuple):
    """Global signals, given to a model by its caller and never read from anywhere else.

    stress: from 0 (calm) to 1 (alarmed); 0.5 is neutral.
    """

    stress: float = 0.5


NEUTRAL = Signals()
