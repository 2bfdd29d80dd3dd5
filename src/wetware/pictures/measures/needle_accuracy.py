"""Needle: depth against length, or against length alone where several models are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.tasks import accuracy, depth_map


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    if len(figures) > 1:
        return accuracy(figures, "Needle")
    [(name, alone)] = figures.items()
    return depth_map(alone, f"Needle: {name}")
