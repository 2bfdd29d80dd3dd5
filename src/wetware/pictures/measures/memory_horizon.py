"""Loss against the length of the context: a line a model, a ring at its horizon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """The same targets at every context: to the left their bits per byte, to the right how much worse than with full context;
    bars are two standard errors of that difference, and the horizon is where zero comes, and stays, within them."""
    import matplotlib.pyplot as plt

    drawn, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
    for colour, (name, lines) in zip(COLOURS, figures.items(), strict=False):
        contexts, bits = lines["contexts"], lines["bits_per_byte"]
        scale = bits[0] / lines["nats"][0]  # from nats per token to bits per byte of these targets
        worse, bars = ([scale * value for value in lines[key]] for key in ("difference", "standard_error"))
        reach = f"{'at least ' if lines['at_least'] else ''}{lines['horizon']}"
        left.plot(contexts, bits, "o-", color=colour, markersize=4, label=f"{name}: {reach} tokens")
        right.errorbar(contexts, worse, [2 * bar for bar in bars], fmt="o-", color=colour, capsize=3, markersize=4)
        for axis, values in ((left, bits), (right, worse)):
            at = values[contexts.index(lines["horizon"])]
            axis.plot(lines["horizon"], at, "o", markersize=12, markerfacecolor="none", color=colour)
    every = sorted({context for lines in figures.values() for context in lines["contexts"]})
    for axis in (left, right):
        axis.set_xscale("log", base=2)
        axis.set_xticks(every, [str(context) for context in every])
        axis.minorticks_off()
        axis.set_xlabel("tokens of context before the target")
        axis.grid(alpha=0.25)
    right.axhline(0.0, color="0.5", linewidth=1)
    left.set(ylabel="bits per byte", title="memory horizon (ring)")
    right.set(ylabel="bits per byte more than with full context", title="what a shorter memory costs")
    left.legend()
    return drawn
