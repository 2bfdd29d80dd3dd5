"""Stress: what the environment made of the loss, step by step, and what that did to the gains of neurons."""

from __future__ import annotations

from pathlib import Path

from wetware.modulation import NEUTRAL_STRESS
from wetware.pictures.curves import COLOURS, held_out, save
from wetware.training.metrics import read


def stress(folder: str | Path, file: str | Path) -> Path | None:
    """The loss of a run over its tokens, in training and on held-out text; below it stress, and the deviation of the gain over
    the neurons of each layer. None when the run knew no stress."""
    from matplotlib.figure import Figure

    rows = [row for row in read(folder) if row["kind"] == "step" and row.get("stress") is not None]
    if not rows:
        return None
    tokens = [row["tokens"] / 1e6 for row in rows]
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": (1.5, 1.0, 1.0)})
    top.plot(tokens, [row["bits"] for row in rows], color="0.6", linewidth=1, label="training")
    _, read_by_then, bits = held_out(folder)
    top.plot([count / 1e6 for count in read_by_then], bits, "o-", color=COLOURS[0], markersize=4, label="held out")
    top.set_ylabel("bits per byte")
    top.legend(frameon=False)
    middle.plot(tokens, [row["stress"] for row in rows], color=COLOURS[1], linewidth=1.2)
    middle.axhline(NEUTRAL_STRESS, color="0.5", linestyle="--", linewidth=1)
    middle.annotate(
        "neutral", (1.0, NEUTRAL_STRESS), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8
    )
    middle.set_ylim(0, 1)
    middle.set_ylabel("stress")
    spreads = [row.get("gain_spread", []) for row in rows]  # runs of before tell none
    for layer in range(min(map(len, spreads))):
        shown = [spread[layer] for spread in spreads]
        bottom.plot(tokens, shown, color=COLOURS[(2 + layer) % len(COLOURS)], linewidth=1.2, label=f"layer {layer}")
    if bottom.lines:
        bottom.legend(frameon=False, fontsize=8)
    bottom.set_ylabel("deviation of gains")
    bottom.set_xlabel("million tokens of training")
    for axis in (top, middle, bottom):
        axis.grid(alpha=0.25)
    return save(figure, file)
