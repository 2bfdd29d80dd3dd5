"""Architecture: every neuron of a spiking model, from its weights alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wetware.evaluation.inspection import Layer, strengths
from wetware.modulation import PROGRAMS, dominant
from wetware.pictures.curves import COLOURS, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHARE = 0.001  # of the recurrent weights are drawn, the strongest
PLAIN = "#8a929c"  # neurons without a program


class Theme(NamedTuple):
    """Colours of the page, of text, of quiet text, of a layer's disc and its rim, of excitation and of inhibition."""

    page: str
    ink: str
    quiet: str
    disc: str
    rim: str
    excitatory: str
    inhibitory: str


LIGHT = Theme("#ffffff", "#1c2128", "#69717c", "#f6f7f9", "#d8dce2", "#d7301f", "#2b6cb0")
DARK = Theme("#0d1117", "#e6edf3", "#8b949e", "#151b23", "#2d3540", "#ff6b5e", "#58a6ff")
THEMES = {"light": LIGHT, "dark": DARK}


def architecture(layers: Sequence[Layer], title: str, file: str | Path, theme: Theme = LIGHT) -> Path:
    """Draw every neuron of every layer. Colour: the gene program of which it has most. Size: its recurrent wiring,
    ``||W[i, :]|| + ||W[:, i]||``, cut at the 1st and 99th percentile. Place in its layer's disc: a spectral embedding of the
    symmetrised recurrent weights, so that what is wired together lies together, spread evenly over the disc.
    Lines: the strongest thousandth of the recurrent weights. PNG, SVG or PDF by the suffix of ``file``.
    """
    return save(architecture_figure(layers, title, theme), file)


def architecture_figure(layers: Sequence[Layer], title: str, theme: Theme = LIGHT) -> Figure:
    """The picture itself."""
    from matplotlib.figure import Figure

    columns = len(layers) if len(layers) <= 3 else math.ceil(math.sqrt(len(layers)))
    rows = math.ceil(len(layers) / columns)
    side = 4.6 if max((len(layer.params.threshold) for layer in layers), default=0) <= 400 else 6.4
    head, foot = 0.85, 1.15
    size = (max(columns * side, 7.2), rows * side + head + foot)
    figure = Figure(figsize=size, facecolor=theme.page)
    gap = (size[0] - columns * side) / 2 / size[0]
    for index, layer in enumerate(layers):
        row, column = divmod(index, columns)
        left = gap + column * side / size[0]
        if row == rows - 1:  # a last row that is not full stands in the middle
            left += (rows * columns - len(layers)) * side / 2 / size[0]
        bottom = (foot + (rows - 1 - row) * side) / size[1]
        axis = figure.add_axes((left, bottom, side / size[0], side / size[1]))
        _layer(axis, layer, index, side, theme)
    figure.text(0.03, 1 - 0.34 / size[1], title, color=theme.ink, size=15, weight="bold", va="center")
    figure.text(0.03, 1 - 0.66 / size[1], _words(layers), color=theme.quiet, size=9, va="center")
    _legends(figure, layers, theme, size)
    return figure


def _words(layers: Sequence[Layer]) -> str:
    neurons = sum(len(layer.params.threshold) for layer in layers)
    words = [f"{neurons:,} neurons in {len(layers)} layer{'s' * (len(layers) > 1)}"]
    weights = sum(layer.recurrent.numel() for layer in layers if layer.recurrent is not None)
    words.append(
        f"{weights:,} recurrent weights, the strongest {SHARE:.1%} drawn" if weights else "no recurrent weights"
    )
    return " · ".join(words)


# --------------------------------------------------------------------------------------------------------------- layout


def embedding(recurrent: np.ndarray | None, size: int) -> np.ndarray:
    """[N, 2] in the unit disc: the second and third eigenvectors of the normalised ``(|W| + |W|^T) / 2``, spread evenly.
    Without weights a sunflower."""
    if recurrent is None or size < 4:
        return _sunflower(size)
    weights = (np.abs(recurrent) + np.abs(recurrent).T) / 2
    degree = np.maximum(weights.sum(1), 1e-12)
    scaled = weights / np.sqrt(degree[:, None] * degree[None, :])
    points = _leading(scaled)[:, 1:] / np.sqrt(degree)[:, None]
    points = points * np.sign(points[np.abs(points).argmax(0), [0, 1]])  # eigenvectors have no sign of their own
    return _spread(points)


def _leading(matrix: np.ndarray) -> np.ndarray:
    """[N, 3]: the eigenvectors of the three largest eigenvalues, the largest first."""
    from scipy.sparse.linalg import eigsh

    if len(matrix) < 64:
        return np.linalg.eigh(matrix)[1][:, :-4:-1]
    values, vectors = eigsh(matrix.astype(np.float64), k=3, which="LA", v0=np.ones(len(matrix)))
    return vectors[:, np.argsort(-values)]


def _sunflower(size: int) -> np.ndarray:
    """Points that fill the unit disc evenly (Vogel, 1979)."""
    index = np.arange(size) + 0.5
    radius, angle = np.sqrt(index / size), np.pi * (1 + np.sqrt(5)) * index
    return (1.0 - 0.5 / np.sqrt(size)) * radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)


def _spread(points: np.ndarray) -> np.ndarray:
    """``points`` on the places of a sunflower: each keeps its rank from the centre and its angle as well as all of them
    together can (the assignment of least squared distance)."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    size = len(points)
    points = (points - np.median(points, 0)) / np.maximum(points.std(0), 1e-12)
    radius = np.sqrt((np.hypot(*points.T).argsort().argsort() + 0.5) / size)
    points = radius[:, None] * points / np.maximum(np.hypot(*points.T), 1e-12)[:, None]
    places = _sunflower(size)
    return places[linear_sum_assignment(cdist(points, places, "sqeuclidean"))[1]]


# -------------------------------------------------------------------------------------------------------------- drawing


def _numbers(tensor: Any) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()


def _layer(axis: Axes, layer: Layer, index: int, side: float, theme: Theme) -> None:
    from matplotlib.patches import Circle

    size = len(layer.params.threshold)
    recurrent = None if layer.recurrent is None else _numbers(layer.recurrent)
    points = embedding(recurrent, size)
    axis.set_xlim(-1.16, 1.16)
    axis.set_ylim(-1.24, 1.08)
    axis.set_axis_off()
    axis.add_patch(Circle((0, 0), 1.05, facecolor=theme.disc, edgecolor=theme.rim, linewidth=1.0, zorder=0))
    if recurrent is not None:
        _lines(axis, points, recurrent, theme)
    colours = np.array([PLAIN] * size)
    if layer.programs is not None:
        colours = np.array(COLOURS)[dominant(layer.programs).cpu().numpy()]
    area = _areas(layer, size, side)
    order = np.argsort(-area)  # small ones on top
    axis.scatter(
        *points[order].T, s=area[order], c=colours[order], edgecolors=theme.disc, linewidths=0.45, zorder=3, alpha=0.95
    )
    axis.text(0, -1.15, f"layer {index}", color=theme.ink, size=10.5, ha="center", va="center")


def _areas(layer: Layer, size: int, side: float) -> np.ndarray:
    """Areas of the dots in points^2: together about the same share of a disc `side` inches wide, whatever their number."""
    typical = min(0.42 * math.pi * (36.0 * side / 1.16) ** 2 / size, 260.0)
    if layer.recurrent is None:
        return np.full(size, 0.6 * typical)
    wired = _numbers(strengths(layer.recurrent))
    low, high = np.percentile(wired, (1, 99))
    share = (np.clip(wired, low, high) - low) / max(high - low, 1e-12)
    return typical * (0.25 + 1.6 * share**1.5)


def _lines(axis: Axes, points: np.ndarray, recurrent: np.ndarray, theme: Theme) -> None:
    """The strongest weights as arcs that bend to the left of their direction; the stronger, the thicker."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    size = len(recurrent)
    weights = np.abs(recurrent) * (1 - np.eye(size))
    count = max(1, round(SHARE * size * size))
    strongest = np.argpartition(weights, -count, axis=None)[-count:]
    strongest = strongest[np.argsort(weights.flat[strongest])]
    source, target = np.unravel_index(strongest, recurrent.shape)
    start, end = points[source], points[target]
    across = np.stack([-(end - start)[:, 1], (end - start)[:, 0]], 1)
    middle = (start + end) / 2 + 0.16 * across - 0.10 * (start + end) / 2
    t = np.linspace(0, 1, 24)[None, :, None]
    arcs = (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * middle[:, None] + t**2 * end[:, None]
    values = weights.flat[strongest]
    share = (values - values[0]) / max(values[-1] - values[0], 1e-12)
    signs = recurrent.flat[strongest]
    thin = float(np.clip(12 / math.sqrt(count), 0.35, 1.0))
    colours = [
        to_rgba(theme.excitatory if sign > 0 else theme.inhibitory, (0.12 + 0.18 * thin) + 0.5 * part)
        for sign, part in zip(signs, share, strict=True)
    ]
    axis.add_collection(LineCollection(list(arcs), colors=colours, linewidths=thin * (0.7 + 1.6 * share), zorder=2))


def _legends(figure: Figure, layers: Sequence[Layer], theme: Theme, size: tuple[float, float]) -> None:
    """What colours, sizes and lines mean."""
    from matplotlib.lines import Line2D

    def dot(colour: str, label: str, wide: float = 7.5) -> Line2D:
        return Line2D([], [], linestyle="", marker="o", color=colour, markersize=wide, markeredgewidth=0, label=label)

    found = [dominant(layer.programs).cpu().numpy() for layer in layers if layer.programs is not None]
    counts = np.bincount(np.concatenate(found), minlength=len(PROGRAMS)) if found else [0] * len(PROGRAMS)
    programs = [
        dot(colour, f"{name.replace('_', ' ')}  {count:,}")
        for colour, name, count in zip(COLOURS, PROGRAMS, counts, strict=True)
    ]
    wiring = [
        dot(theme.quiet, "weakly wired", 4.0),
        dot(theme.quiet, "strongly wired", 9.5),
        Line2D([], [], color=theme.excitatory, linewidth=1.8, label="excitatory"),
        Line2D([], [], color=theme.inhibitory, linewidth=1.8, label="inhibitory"),
    ]
    rows = [programs if found else [dot(PLAIN, "neuron (no gene programs)")]]
    if any(layer.recurrent is not None for layer in layers):
        rows.append(wiring)
    narrow = size[0] < 11
    height = 1.02 / size[1]
    for row in rows:
        columns = min(len(row), 3 if narrow and len(row) == 6 else 6)
        figure.legend(
            handles=row,
            loc="upper center",
            bbox_to_anchor=(0.5, height),
            ncols=columns,
            frameon=False,
            fontsize=9,
            labelcolor=theme.ink,
            handletextpad=0.4,
            columnspacing=1.5,
            borderaxespad=0.0,
        )
        height -= (0.52 if columns == 3 else 0.36) / size[1]
