"""Firing rates by gene program, a group of bars for each layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """A bar for each program, in groups of layers; a row for each model."""
    import matplotlib.pyplot as plt

    columns = max(len(lines["layers"]) for lines in figures.values())
    size = (max(6.0, 1.6 + 1.5 * columns), 0.7 + 2.6 * len(figures))
    drawn, axes = plt.subplots(len(figures), 1, figsize=size, squeeze=False, layout="constrained")
    for axis, (name, lines) in zip(axes[:, 0], figures.items(), strict=True):
        for place, (colour, program) in enumerate(zip(COLOURS, lines["programs"], strict=True)):
            rates = [layer["rate"][place] or 0.0 for layer in lines["layers"]]
            places = [index + 0.13 * (place - 2.5) for index in range(len(rates))]
            axis.bar(places, rates, 0.12, color=colour, label=program.replace("_", " "))
        axis.set_xticks(range(len(lines["layers"])), [f"layer {index}" for index in range(len(lines["layers"]))])
        axis.set_ylabel(f"{name}\nspikes per token", fontsize=9)
        axis.grid(alpha=0.25, axis="y")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return drawn
