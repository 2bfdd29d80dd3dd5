"""Learning curves of one or more runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wetware.config import ConfigError
from wetware.training.metrics import read

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
# Okabe and Ito's colours: apart for colour-blind eyes too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def held_out(folder: str | Path) -> tuple[list[float], list[int], list[float]]:
    """``(minutes, tokens, bits per byte)`` of every evaluation of a run."""
    rows = [row for row in read(folder) if row["kind"] == "held_out"]
    return (
        [row["seconds"] / 60 for row in rows],
        [row["tokens"] for row in rows],
        [row["bits_per_byte"] for row in rows],
    )


def curves(runs: Mapping[str, str | Path], lines: Mapping[str, float], file: str | Path) -> Path:
    """Held-out bits per byte against training time and against tokens, with horizontal reference lines, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for colour, (name, folder) in zip(COLOURS, runs.items(), strict=False):
        minutes, tokens, bits = held_out(folder)
        for axis, x in zip(axes, (minutes, [count / 1e6 for count in tokens]), strict=True):
            axis.plot(x, bits, "o-", color=colour, label=name, markersize=3)
    for axis, label in zip(axes, ("minutes of training", "million tokens"), strict=True):
        for name, value in lines.items():
            axis.axhline(value, color="0.5", linestyle="--", linewidth=1)
            axis.annotate(name, (1.0, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
        axis.set_xlabel(label)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("held-out bits per byte")
    axes[0].legend()
    return save(figure, file)


def save(figure: Figure, file: str | Path) -> Path:
    """Write a picture, in the format that its suffix names, into a folder that need not be there yet."""
    file = Path(file)
    if file.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"no picture is written as {file.name!r}: allowed suffixes {', '.join(SUFFIXES)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)
    return file


def terminal_curves(
    runs: Mapping[str, str | Path], lines: Mapping[str, float], width: int = 90, height: int = 18
) -> str:
    """The same against time, in characters."""
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    last = 0.0
    for marker, (name, folder) in zip(("o", "x", "+", "*"), runs.items(), strict=False):
        minutes, _, bits = held_out(folder)
        if minutes:
            plotext.plot(minutes, bits, label=name, marker=marker)
            last = max(last, *minutes)
    for name, value in lines.items():
        plotext.hline(value)
        plotext.text(f"{name} ", last / 2, value, alignment="center")
    plotext.xlabel("minutes of training")
    plotext.title("held-out bits per byte")
    return plotext.uncolorize(plotext.build())
