"""Signals: what the world tells every neuron at once."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

NEUTRAL_STRESS = 0.5


class Signals(NamedTuple):
    """Global signals, given to a model by its caller and never read from anywhere else.

    stress: from 0 (calm) to 1 (alarmed); 0.5 is neutral; [B] where each sequence has its own; None where nobody tells it, as in
    use: then the environment of the model says what it is (:mod:`wetware.modulation.inference`; neutral by default). Of the
    others 0 is neutral and means "as usual". dopamine: from -2 (worse than expected) to 2 (better). acetylcholine: from -2
    (surer than usual) to 2 (less sure). noradrenaline: from -1 (nothing out of the way) to 1 (what happened was not to be
    expected).
    """

    stress: float | Tensor | None = None
    dopamine: float = 0.0
    acetylcholine: float = 0.0
    noradrenaline: float = 0.0


NEUTRAL = Signals()
