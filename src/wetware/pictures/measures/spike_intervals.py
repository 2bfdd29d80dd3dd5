"""Intervals between spikes: their distribution, and how regular the neurons are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """Left: the share of intervals of each length, both axes logarithmic, a line for each layer. Right: coefficients of
    variation of the neurons. A row for each model."""
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(
        len(figures), 2, figsize=(9.5, 0.6 + 3.0 * len(figures)), squeeze=False, layout="constrained"
    )
    for (left, right), (name, lines) in zip(axes, figures.items(), strict=True):
        widest = max((value for layer in lines["layers"] for value in layer["variations"]), default=1.0) or 1.0
        for index, layer in enumerate(lines["layers"]):
            colour = COLOURS[index % len(COLOURS)]
            total = max(sum(layer["intervals"]), 1)
            there = [(length, count / total) for length, count in enumerate(layer["intervals"]) if count]
            if there:
                left.plot(
                    *zip(*there, strict=True), "o-", color=colour, markersize=2.5, linewidth=1, label=f"layer {index}"
                )
            if layer["variations"]:
                right.hist(layer["variations"], 30, range=(0.0, widest), histtype="step", color=colour, linewidth=1.5)
        if left.lines:
            left.set_xscale("log")
            left.set_yscale("log")
            left.legend(frameon=False, fontsize=8)
        left.set_ylabel(f"{name}\nshare of intervals", fontsize=9)
        right.set_ylabel("neurons", fontsize=9)
        for axis in (left, right):
            axis.grid(alpha=0.25)
    axes[-1, 0].set_xlabel("tokens between two spikes of a neuron", fontsize=9)
    axes[-1, 1].set_xlabel("coefficient of variation of a neuron's intervals", fontsize=9)
    return drawn
