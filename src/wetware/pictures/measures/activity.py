"""Histograms of firing rates, a row of layers for each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """How many neurons of each layer fire at which rate; the dead and the saturated, whose bars outgrow the rest, in words too.
    The count is logarithmic, because most neurons are silent most of the time."""
    import matplotlib.pyplot as plt

    columns = max(len(lines["layers"]) for lines in figures.values())
    size = (max(4.0, min(3.2 * columns, 20.0)), 0.6 + 2.6 * len(figures))
    drawn, axes = plt.subplots(len(figures), columns, figsize=size, squeeze=False, sharex=True, layout="constrained")
    for colour, row, (name, lines) in zip(COLOURS, axes, figures.items(), strict=False):
        for index, axis in enumerate(row):
            if index >= len(lines["layers"]):
                axis.set_axis_off()
                continue
            layer = lines["layers"][index]
            bins = len(layer["histogram"])
            axis.bar([(place + 0.5) / bins for place in range(bins)], layer["histogram"], 1 / bins, color=colour)
            axis.axvline(layer["rate"], color="0.3", linestyle="--", linewidth=1)
            axis.set_yscale("log")
            axis.set_ylim(0.7, layer["neurons"] * 1.3)
            words = (
                f"layer {index}: {layer['rate']:.1%} mean\n{layer['dead']:.1%} dead, {layer['saturated']:.1%} saturated"
            )
            axis.set_title(words, fontsize=9)
        row[0].set_ylabel(f"{name}\nneurons")
    for axis in axes[-1]:
        axis.set_xlabel("spikes per token")
    return drawn
