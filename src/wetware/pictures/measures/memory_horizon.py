"""Loss against the length of the context: a line a model, a ring at its horizon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wetware.pictures.curves import COLOURS


def figure(figures: Mapping[str, Mapping[str, Any]]) -> Any:
    """Bits per byte of the same targets at every context; bars are two standard errors of the difference to full context."""
    import matplotlib.pyplot as plt

    drawn, axis = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for colour, (name, lines) in zip(COLOURS, figures.items(), strict=False):
        contexts, bits = lines["contexts"], lines["bits_per_byte"]
        scale = bits[0] / lines["nats"][0]  # from nats per token to bits per byte of these targets
        bars = [2 * error * scale for error in lines["standard_error"]]
        reach = f"{'at least ' if lines['at_least'] else ''}{lines['horizon']}"
        axis.errorbar(
            contexts, bits, bars, fmt="o-", color=colour, capsize=3, markersize=4, label=f"{name}: {reach} tokens"
        )
        at = bits[contexts.index(lines["horizon"])]
        axis.plot(lines["horizon"], at, "o", markersize=12, markerfacecolor="none", color=colour)
    every = sorted({context for lines in figures.values() for context in lines["contexts"]})
    axis.set_xscale("log", base=2)
    axis.set_xticks(every, [str(context) for context in every])
    axis.minorticks_off()
    axis.set_xlabel("tokens of context before the target")
    axis.set_ylabel("bits per byte")
    axis.set_title("memory horizon (ring)")
    axis.grid(alpha=0.25)
    axis.legend()
    return drawn
