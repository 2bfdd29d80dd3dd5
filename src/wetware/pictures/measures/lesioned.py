"""What each lesion costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """Bits per byte above the intact model, with two standard errors, a dot for each lesion, the worst above; a panel for each
    model."""
    import matplotlib.pyplot as plt

    most = max(len(lines["lesions"]) for lines in figures.values())
    size = (7.6, 0.9 + len(figures) * (0.5 + 0.30 * most))
    drawn, axes = plt.subplots(len(figures), 1, figsize=size, squeeze=False, layout="constrained")
    for axis, (name, lines) in zip(axes[:, 0], figures.items(), strict=True):
        rows = sorted(lines["lesions"], key=lambda row: row["difference"])
        for place, row in enumerate(rows):
            reach = 2 * (row["standard_error"] or 0.0)
            colour = COLOURS[1] if row["difference"] > reach else COLOURS[2] if row["difference"] < -reach else "0.6"
            axis.plot([0, row["difference"]], [place, place], color=colour, linewidth=1.0, alpha=0.5)
            axis.errorbar(row["difference"], place, xerr=reach, fmt="o", color=colour, markersize=5, capsize=2)
        axis.axvline(0, color="black", linewidth=1)
        axis.set_yticks(range(len(rows)), [row["lesion"] for row in rows], fontsize=8)
        axis.set_title(f"{name}: {lines['bits_per_byte']:.4f} bits per byte intact", fontsize=9, loc="left")
        axis.grid(alpha=0.25, axis="x")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[-1, 0].set_xlabel("bits per byte above the intact model (2 standard errors)", fontsize=9)
    return drawn
