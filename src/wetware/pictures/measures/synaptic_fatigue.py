"""Fatigue: release, ready pool and calcium of every head at one key, while its token is repeated and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

HUE = "viridis"
COLUMNS = {"release": "release that counts, 1 at rest", "ready": "ready pool", "calcium": "calcium left over"}
RESTS = {"release": 1.0, "ready": 1.0, "calcium": 0.0}  # what a synapse that nobody asks goes back to


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """A row for each layer of each model: the release that counts in its score, the ready pool, and calcium; full lines as
    trained, dotted ones of the same model before training; a colour a head. Where the token is repeated the ground is
    shaded."""
    import matplotlib.pyplot as plt

    rows = [(name, found, index) for name, found in figures.items() for index in range(len(found["layers"]))]
    longest = max(len(found["pieces"]) for found in figures.values())
    size = (float(np.clip(3.0 + 0.25 * longest, 12.0, 28.0)), 1.7 * len(rows) + 0.8 * len(figures) + 0.8)
    drawn, axes = plt.subplots(len(rows), len(COLUMNS), figsize=size, squeeze=False, layout="constrained")
    for cells, (name, found, index) in zip(axes, rows, strict=True):
        layer = found["layers"][index].removesuffix(".synapse.release")
        for axis, what in zip(cells, COLUMNS, strict=True):
            _row(axis, found, index, what)
            if index == len(found["layers"]) - 1:
                _text(axis, found["pieces"])
        cells[0].set_ylabel(layer if len(figures) == 1 else f"{name}\n{layer}", fontsize=8)
    for axis, title in zip(axes[0], COLUMNS.values(), strict=True):
        axis.set_title(title, fontsize=9, loc="left")
    axes[0, 0].plot([], [], "-", color="0.3", label="as trained")
    axes[0, 0].plot([], [], ":", color="0.3", label="untrained")
    axes[0, 0].legend(fontsize=7, frameon=False, loc="lower left")
    title = f"{', '.join(figures)}: one token again and again (shaded), then other text; a colour a head"
    drawn.suptitle(title, x=0.01, ha="left", fontsize=10)
    return drawn


def _row(axis: Any, found: Mapping[str, Any], index: int, what: str) -> None:
    start = found["start"]
    axis.axvspan(start - 0.5, start + found["repeats"] - 0.5, color="0.92", zorder=0)
    axis.axhline(RESTS[what], color="0.6", linewidth=0.8)
    for kind, style in (("untrained", ":"), ("trained", "-")):
        _heads(axis, found[kind][index][what], style)
    axis.set_ylim(bottom=0)
    axis.set_xlim(-0.7, len(found["pieces"]) - 0.3)
    axis.set_xticks([])
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.2, linewidth=0.6)


def _heads(axis: Any, rows: list[list[float | None]], style: str) -> None:
    import matplotlib.pyplot as plt

    colours = plt.get_cmap(HUE)(np.linspace(0.0, 0.85, len(rows)))
    for colour, row in zip(colours, rows, strict=True):
        values = [np.nan if value is None else value for value in row]
        axis.plot(values, style, color=colour, linewidth=1.2 if style == "-" else 1.0)


def _text(axis: Any, pieces: list[str]) -> None:
    shown = [piece.replace("\n", "⏎").replace("\t", "⇥").replace("$", r"\$") for piece in pieces]
    axis.set_xticks(range(len(shown)), shown, rotation=90, fontsize=6)
