"""Pictures of measures: the file of this folder that has a measure's name draws it.

Its ``figure(figures)`` is given the figures of one or more models, by the model's name, and gives a matplotlib Figure.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw(measure: str, figures: Mapping[str, Mapping[str, Any]], file: str | Path) -> Path | None:
    """Draw what ``measure`` told of one or more models (``figures`` by the model's name) into ``file``; None when there is no
    picture of that measure."""
    if measure not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return None
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = importlib.import_module(f"{__name__}.{measure}").figure(figures)
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return file
