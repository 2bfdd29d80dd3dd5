"""Pictures: every plot, from the files of a run."""

from wetware.pictures.curves import curves, terminal_curves

__all__ = ["curves", "terminal_curves"]
