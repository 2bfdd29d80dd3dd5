"""Pictures: every plot, from the files of a run."""

from wetware.pictures.curves import curves, terminal_curves
from wetware.pictures.tasks import accuracy, depth_map

__all__ = ["accuracy", "curves", "depth_map", "terminal_curves"]
