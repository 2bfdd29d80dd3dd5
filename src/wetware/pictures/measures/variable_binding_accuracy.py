"""Variable binding: accuracy against size, a line for each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.tasks import accuracy


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    return accuracy(figures, "Variable binding")
