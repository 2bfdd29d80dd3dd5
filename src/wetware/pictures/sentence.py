"""A sentence, read token by token: who fired, and what the traits showed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wetware.evaluation.inspection import Layer, Sentence
from wetware.modulation import PROGRAMS, dominant
from wetware.pictures.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 300  # rows of one layer's raster: more could not be seen; of larger layers every k-th neuron is drawn
LINES = 3  # channels of a trace that are drawn as lines; more are an image


def raster(sentence: Sentence, layers: Sequence[Layer], title: str, file: str | Path) -> Path:
    """Every spike of every layer, the text under it. Neurons are sorted by program and, within it, by how often they fired;
    above, the share of each layer that fired."""
    return save(raster_figure(sentence, layers, title), file)


def raster_figure(sentence: Sentence, layers: Sequence[Layer], title: str) -> Figure:
    """The picture itself."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    heights = [1.1, *(max(1.6, 2.6 * min(1.0, spikes.shape[1] / 150)) for spikes in sentence.spikes)]
    size = (_width(sentence), sum(heights) + 1.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights})
    top = axes[0]
    for index, spikes in enumerate(sentence.spikes):
        shade = str(0.15 + 0.55 * index / max(len(sentence.spikes) - 1, 1))
        top.plot(range(len(spikes)), spikes.mean(1), color=shade, linewidth=1.6, label=f"layer {index}")
    top.set_ylim(0, 1)
    top.set_ylabel("share that fires", fontsize=9)
    top.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
    for index, (axis, spikes, layer) in enumerate(zip(axes[1:], sentence.spikes, layers, strict=True)):
        _raster(axis, spikes.numpy(), layer)
        axis.set_ylabel(f"layer {index}", fontsize=9)
    if any(layer.programs is not None for layer in layers):
        handles = [Line2D([], [], color=colour, linewidth=5) for colour in COLOURS]
        names = [name.replace("_", " ") for name in PROGRAMS]
        figure.legend(handles, names, loc="outside lower center", ncols=6, frameon=False, fontsize=8, handlelength=1.0)
    _text(axes[-1], sentence)
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)
    return figure


def _width(sentence: Sentence) -> float:
    return float(np.clip(1.8 + 0.21 * len(sentence.pieces), 6.5, 20.0))


def _raster(axis: Axes, spikes: np.ndarray, layer: Layer) -> None:
    from matplotlib.colors import to_rgba_array

    fired = spikes >= 0.5
    belongs = np.zeros(fired.shape[1], dtype=int)
    if layer.programs is not None:
        belongs = dominant(layer.programs).cpu().numpy()
    order = np.lexsort((-fired.sum(0), belongs))
    order = order[:: max(1, -(-len(order) // MOST))]
    colours = to_rgba_array(COLOURS if layer.programs is not None else ["0.25"])[belongs[order], :3]
    cells = np.where(fired[:, order].T[..., None], colours[:, None], 1.0)
    axis.imshow(cells, aspect="auto", interpolation="nearest")
    for time in range(len(fired) + 1):  # a gap between tokens
        axis.axvline(time - 0.5, color="white", linewidth=1.2)
    if layer.programs is not None:
        for border in np.flatnonzero(np.diff(belongs[order])):
            axis.axhline(border + 0.5, color="white", linewidth=1.6)
    axis.set_ylim(len(order) - 0.3, -0.7)
    axis.set_yticks([])


def _text(axis: Axes, sentence: Sentence) -> None:
    """The pieces of the text under the lowest axis, each at its token."""
    shown = [piece.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "·") for piece in sentence.pieces]
    axis.set_xticks(range(len(shown)), shown, rotation=90, fontsize=8, family="monospace")
    axis.set_xlim(-0.7, len(shown) - 0.3)
    axis.tick_params(axis="x", length=2)


def traces(sentence: Sentence, title: str, file: str | Path) -> Path | None:
    """What each trait showed at each token, the text under it; None when no trait has anything to show."""
    figure = traces_figure(sentence, title)
    return None if figure is None else save(figure, file)


def traces_figure(sentence: Sentence, title: str) -> Figure | None:
    """The picture itself: a panel for each trace, one number a token as a line, few as lines, many as an image. One named
    ``programs`` has the programs' colours, several draws of genes in one."""
    from matplotlib.figure import Figure

    shown = {name: trace.float().numpy() for name, trace in sentence.traces.items() if trace.ndim in (1, 2)}
    if not shown:
        return None
    figure = Figure(figsize=(_width(sentence), 1.3 * len(shown) + 1.6), layout="constrained")
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (name, trace) in zip(axes, shown.items(), strict=True):
        _trace(axis, trace, name.endswith(": programs"))
        axis.set_title(name, fontsize=9, loc="left")
        axis.tick_params(axis="y", labelsize=8)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    _text(axes[-1], sentence)
    figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)
    return figure


def _trace(axis: Any, trace: np.ndarray, programs: bool) -> None:
    channels = trace[:, None] if trace.ndim == 1 else trace
    if programs := programs and channels.shape[1] % len(PROGRAMS) == 0:  # draw of genes beside draw
        channels = channels.reshape(len(channels), -1, len(PROGRAMS)).mean(1)
    elif channels.shape[1] > LINES:
        signed, largest = bool((channels < 0).any()), float(np.abs(channels).max()) or 1.0
        colours, least = ("RdBu_r", -largest) if signed else ("Blues", 0.0)
        axis.imshow(channels.T, aspect="auto", cmap=colours, vmin=least, vmax=largest, interpolation="nearest")
        return
    for index, values in enumerate(channels.T):
        label = PROGRAMS[index].replace("_", " ") if programs else None
        axis.plot(values, color=COLOURS[index % len(COLOURS)], linewidth=1.4, label=label)
    if programs:
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=7)
    axis.grid(alpha=0.2, linewidth=0.6)
