"""Phases: the held-out losses of a run with a curriculum, by phase."""

from __future__ import annotations

from pathlib import Path

from wetware.evaluation.phases import phase_rows
from wetware.pictures.curves import COLOURS, held_out, save
from wetware.training.metrics import read


def phases(folder: str | Path, file: str | Path) -> Path | None:
    """Above, perplexity of each phase's own held-out text from its start to its end; below, bits per byte of the held-out whole
    text, which is the same for every phase; against the tokens read. None when the run had no phases."""
    from matplotlib.figure import Figure

    starts = phase_rows(folder, "start")
    if not starts:
        return None
    ends = {row["number"]: row for row in phase_rows(folder)}
    last = max(row["tokens"] for row in read(folder) if "tokens" in row) / 1e3
    figure = Figure(figsize=(9, 6), layout="constrained")
    own, whole = figure.subplots(2, 1, sharex=True)
    for index, start in enumerate(starts):
        colour, end = COLOURS[index % len(COLOURS)], ends.get(start["number"])
        rows = [start, end] if end else [start]
        tokens = [row["tokens"] / 1e3 for row in rows]
        own.plot(tokens, [row["perplexity"] for row in rows], "o-", color=colour, markersize=4)
        whole.plot(tokens, [row["fixed_bits_per_byte"] for row in rows], "o", color=colour, markersize=4)
        until = tokens[1] if end else last
        for axis in (own, whole):
            axis.axvspan(tokens[0], until, color=colour, alpha=0.12, linewidth=0)
        text = f"{start['phase']}\n{start['chunk']} tokens"
        top = ((tokens[0] + until) / 2, 1.02)
        own.annotate(text, top, xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8, color=colour)
    _, read_tokens, bits = held_out(folder)
    whole.plot([tokens / 1e3 for tokens in read_tokens], bits, "-", color="0.3", linewidth=1, zorder=0)
    own.set_yscale("log")
    own.set_ylabel("perplexity of the phase's\nown held-out text")
    whole.set_ylabel("bits per byte of the\nheld-out whole text")
    whole.set_xlabel("thousand tokens")
    for axis in (own, whole):
        axis.grid(alpha=0.25)
    return save(figure, file)
