"""Memory tasks as pictures: accuracy along a sweep of sizes, and the needle's map of depth and length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.evaluation.shares import wilson
from wetware.pictures.curves import COLOURS


def accuracy(runs: Mapping[str, Mapping[str, Any]], title: str = "") -> Any:
    """Accuracy against size, one line a run, from the figures of a task's measure (``{name: figures}``).

    Whiskers are the 95 % intervals, the dashed line is guessing, hollow marks lie beyond the sizes that were trained, and a
    model that was not trained on the task says so. Of a sweep with depths, all depths count together.
    """
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for colour, (name, figures) in zip(COLOURS, runs.items(), strict=False):
        points = _by_size(figures["points"])
        sizes, values = [p["size"] for p in points], [100 * p["accuracy"] for p in points]
        below = [max(0.0, 100 * (p["accuracy"] - p["low"])) for p in points]
        above = [max(0.0, 100 * (p["high"] - p["accuracy"])) for p in points]
        label = name if figures["trained"] else f"{name} (untrained on this task)"
        axis.errorbar(sizes, values, (below, above), color=colour, capsize=3, linewidth=1.4, label=label)
        for size, value, point in zip(sizes, values, points, strict=True):
            known = figures["trained"] and not point["beyond_training"]
            axis.plot(size, value, "o", color=colour, markerfacecolor=colour if known else "white", markersize=5)
    last = next(reversed(list(runs.values())))
    points = _by_size(last["points"])
    sizes = [point["size"] for point in points]
    axis.plot(sizes, [100 * point["chance"] for point in points], "--", color="0.45", linewidth=1.2, label="guessing")
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45 if len(sizes) > 6 else 0)
    axis.minorticks_off()
    axis.set_ylim(-3, 103)
    axis.set_xlabel(f"{last['size_name']} (hollow: beyond training)")
    axis.set_ylabel("answers right, %")
    axis.set_title(title)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8)
    return figure


def depth_map(figures: Mapping[str, Any], title: str = "") -> Any:
    """Accuracy of each length (columns) and depth (rows), from the figures of the needle's measure; a white line ends the
    lengths that were trained."""
    import matplotlib.pyplot as plt

    points = figures["points"]
    sizes, depths = sorted({point["size"] for point in points}), sorted({point["depth"] for point in points})
    value = {(point["depth"], point["size"]): 100 * point["accuracy"] for point in points}
    grid = [[value[depth, size] for size in sizes] for depth in depths]
    figure, axis = plt.subplots(figsize=(1.6 + 0.75 * len(sizes), 1.5 + 0.55 * len(depths)), layout="constrained")
    image = axis.imshow(grid, vmin=0, vmax=100, cmap="viridis", aspect="auto")
    for row, line in enumerate(grid):
        for column, percent in enumerate(line):
            colour = "white" if percent < 60 else "black"
            axis.text(column, row, f"{percent:.0f}", ha="center", va="center", color=colour, fontsize=9)
    known = sum(not point["beyond_training"] for point in points) // len(depths)
    if figures["trained"] and 0 < known < len(sizes):
        axis.axvline(known - 0.5, color="white", linewidth=2.5)
    axis.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axis.set_yticks(range(len(depths)), [f"{depth:g}" for depth in depths])
    axis.set_xlabel("characters before the question")
    axis.set_ylabel("depth (0: start)")
    chance = 100 * sum(point["chance"] for point in points) / len(points)
    heading = title if figures["trained"] else f"{title} (untrained on this task)".strip()
    axis.set_title(heading, fontsize=10)
    figure.colorbar(image, label=f"answers right, % (guessing: {chance:.0f})")
    return figure


def _by_size(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One point a size: the questions of all depths together."""
    merged = []
    for size in sorted({point["size"] for point in points}):
        same = [point for point in points if point["size"] == size]
        questions, correct = (sum(point[key] for point in same) for key in ("questions", "correct"))
        low, high = wilson(correct, questions)
        chance = sum(point["questions"] * point["chance"] for point in same) / questions
        values = {"accuracy": correct / questions, "low": low, "high": high, "chance": chance}
        merged.append({**same[0], **values})
    return merged
