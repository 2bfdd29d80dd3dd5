"""The reliability diagram (Guo et al., 2017): how often right, against how sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """Accuracy of each bin at its mean confidence, beside the diagonal of perfect calibration; below, where the tokens are."""
    import matplotlib.pyplot as plt

    drawn, (axis, below) = plt.subplots(
        2, 1, figsize=(5.2, 6.0), sharex=True, layout="constrained", gridspec_kw={"height_ratios": [3, 1]}
    )
    axis.plot([0, 1], [0, 1], "--", color="0.6", linewidth=1)
    for colour, (name, lines) in zip(COLOURS, figures.items(), strict=False):
        bins = [part for part in lines["bins"] if part["tokens"]]
        error = lines["expected_calibration_error"]
        sure, right = ([part[key] for part in bins] for key in ("confidence", "accuracy"))
        axis.plot(sure, right, "o-", color=colour, markersize=4, label=f"{name}: error {error:.3f}")
        edges = [part["low"] for part in lines["bins"]] + [lines["bins"][-1]["high"]]
        shares = [part["tokens"] / max(lines["tokens"], 1) for part in lines["bins"]]
        below.stairs(shares, edges, color=colour, fill=len(figures) == 1, alpha=0.7)
    axis.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1), title="calibration of the likeliest token")
    below.set(xlabel="confidence (probability of the likeliest token)", ylabel="share of tokens")
    for part in (axis, below):
        part.grid(alpha=0.25)
    axis.legend(loc="upper left")
    return drawn
