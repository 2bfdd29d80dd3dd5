"""Pictures: every plot, from the files of a run or the figures of a study."""

from wetware.pictures.bands import Curve, bands
from wetware.pictures.curves import curves, terminal_curves
from wetware.pictures.lineage import lineage
from wetware.pictures.phases import phases
from wetware.pictures.stress import stress
from wetware.pictures.verdicts import Row, forest, terminal_forest

__all__ = [
    "Curve",
    "Row",
    "bands",
    "curves",
    "forest",
    "lineage",
    "phases",
    "stress",
    "terminal_curves",
    "terminal_forest",
]
