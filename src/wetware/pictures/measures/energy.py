"""The energy estimate, by what it is spent on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """For each model a bar as counted, multiplications and additions apart, and one as if every product were dense."""
    import matplotlib.pyplot as plt

    drawn, axis = plt.subplots(figsize=(7.6, 1.6 + 0.9 * len(figures)), layout="constrained")
    labels, place = [], 0
    for name, lines in figures.items():
        multiplied = lines["picojoules_per_multiply_accumulate"] * lines["multiply_accumulates"] / 1e6
        added = lines["picojoules_per_accumulate"] * lines["synaptic_operations"] / 1e6
        axis.barh(place, multiplied, color=COLOURS[0], label="" if place else "multiply-accumulates")
        axis.barh(place, added, left=multiplied, color=COLOURS[1], label="" if place else "synaptic operations")
        axis.barh(
            place + 1,
            lines["dense_picojoules"] / 1e6,
            color="0.8",
            label="" if place else "if every product were dense",
        )
        labels += [name, f"{name}, dense"]
        place += 2
    axis.set_yticks(range(place), labels)
    axis.invert_yaxis()
    axis.set_xlabel("microjoule per token: an estimate by operation count, 45 nm (Horowitz, 2014)", fontsize=9)
    axis.grid(alpha=0.25, axis="x")
    axis.set_xlim(
        0, 1.05 * max(lines["dense_picojoules"] for lines in figures.values()) / 1e6
    )  # bars stick to the frame else
    drawn.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    return drawn
