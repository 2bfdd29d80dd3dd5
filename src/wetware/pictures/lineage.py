"""Lineage: which experts lived, for how long, and who came from whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wetware.pictures.curves import COLOURS, save
from wetware.training.metrics import read

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BIRTHS, DEATHS = ("split", "revive"), ("starve", "merge")
MARKS = {"split": ("o", 2), "revive": ("D", 4), "merge": ("s", 5), "starve": ("X", 1)}  # and a number of COLOURS


class Life(NamedTuple):
    """An expert in a slot from a step to a step (None: it lived on)."""

    slot: int
    born: int
    died: int | None


def events_of(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """What happened to experts in a run, by the path of their layer, in order; empty when nothing did."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read(folder):
        if row.get("kind") == "event" and row.get("what") in MARKS:
            found.setdefault(row["rule"], []).append(row)
    return found


def lives(events: Sequence[dict[str, Any]], first: int) -> list[Life]:
    """Every life, of ``first`` experts at the start, in the order of births."""
    found = [Life(slot, 0, None) for slot in range(first)]
    for event in events:
        if event["what"] in BIRTHS:
            found.append(Life(event["child"], event["step"], None))
        else:
            # the one that is there now is the last that came to the slot
            last = max(index for index, life in enumerate(found) if life.slot == event["child"])
            found[last] = found[last]._replace(died=event["step"])
    return found


def lineage(folder: str | Path, file: str | Path) -> Path | None:
    """The experts of every layer over the steps of a run: a line for each life, branching where it split, ending where it died
    or was joined to another. None when nothing happened in the run."""
    from matplotlib.figure import Figure

    events = events_of(folder)
    if not events:
        return None
    run = json.loads((Path(folder) / "config.json").read_text())
    first = run["model"]["experts"]["experts"]
    last = max(row["step"] for row in read(folder))
    figure = Figure(figsize=(10, 0.8 + 1.9 * len(events)), layout="constrained")
    axes = figure.subplots(len(events), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (layer, rows) in zip(axes, sorted(events.items()), strict=True):
        _layer(axis, rows, lives(rows, first), last)
        axis.set_ylabel(f"{layer}\nslot")
    axes[-1].set_xlabel("step")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)
    return save(figure, file)


def _layer(axis: Axes, events: Sequence[dict[str, Any]], known: Sequence[Life], last: int) -> None:
    for life in known:
        axis.hlines(life.slot, life.born, last if life.died is None else life.died, color=COLOURS[0], linewidth=2)
    for what, (mark, colour) in MARKS.items():
        happened = [event for event in events if event["what"] == what]
        ends = [event["parent"] if what == "merge" else event["child"] for event in happened]
        steps = [event["step"] for event in happened]
        axis.plot(steps, ends, mark, color=COLOURS[colour % len(COLOURS)], markersize=5, label=what)
        for event in happened:
            low, high = sorted((event["parent"], event["child"]))
            axis.vlines(event["step"], low, high, color="0.5", linewidth=1, linestyle=":" if what == "revive" else "-")
    axis.set_yticks(sorted({life.slot for life in known}))
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.25)
