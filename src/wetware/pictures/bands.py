"""Learning curves of several arms on several seeds, with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wetware.config import ConfigError, nearest
from wetware.pictures.curves import COLOURS, save
from wetware.pictures.verdicts import usual

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST = 0.2  # of training: bits per byte fall so far in it that nothing later could be told apart beside it


class Curve(NamedTuple):
    """One run: tokens seen, and held-out bits per byte, at each of its evaluations, in order."""

    tokens: Sequence[float]
    bits: Sequence[float]


class Arm(NamedTuple):
    """The runs of an arm at the same places: tokens [K], held-out bits per byte [seeds, K]."""

    tokens: np.ndarray
    bits: np.ndarray


def bands(
    curves: Mapping[str, Mapping[int, Curve]],
    file: str | Path,
    reference: str | None = None,
    margin: float | None = None,
    title: str = "",
) -> Path:
    """Learning curves, ``{arm: {seed: Curve}}``. Left: the mean over seeds of held-out bits per byte against tokens. Right: its
    difference from ``reference`` (None: the first arm), seed by seed, with the margin of equivalence where it is given. Bands
    are Student's 95 % intervals. The first fifth of training may leave the picture, and an arm far from all others the right
    one. PNG, SVG or PDF by the suffix of ``file``.
    """
    return save(bands_figure(curves, reference or next(iter(curves), ""), margin, title), file)


def bands_figure(
    curves: Mapping[str, Mapping[int, Curve]], reference: str, margin: float | None = None, title: str = ""
) -> Figure:
    """The picture itself."""
    from matplotlib.figure import Figure

    runs = {name: finite(seeds) for name, seeds in curves.items()}
    arms = {name: arm for name, seeds in runs.items() if (arm := aligned(list(seeds.values())))}
    if reference not in arms:
        raise ConfigError(f"no curve of the reference {reference!r}{nearest(reference, arms)}")
    style = styles(list(arms), reference)
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    whole, apart = figure.subplots(1, 2)
    handles = {name: _draw(whole, arm, style[name], name == reference) for name, arm in arms.items()}
    apart.axhline(0, color="black", linewidth=2)
    apart.set_ylabel(f"arm minus {reference}, bits per byte", fontsize=9)
    if margin is not None:
        apart.axhspan(-margin, margin, color="0.925", linewidth=0, zorder=0)
    differences = {name: arm for name in arms if name != reference and (arm := minus(runs[name], runs[reference]))}
    for name, arm in differences.items():
        _draw(apart, arm, style[name], False)
    whole.set_ylabel("held-out bits per byte", fontsize=9)
    _frame(whole, list(arms.values()))
    _frame(apart, [Arm(arms[reference].tokens, 0 * arms[reference].bits), *_near(differences, margin or 0.0)])
    # in the order in which the curves end, the highest first
    last = {name: arm.bits[:, -1].mean() for name, arm in arms.items()}
    order = sorted(last, key=last.__getitem__, reverse=True)
    figure.legend(
        [handles[name] for name in order],
        [f"{name}  {last[name]:.4f}" for name in order],
        loc="outside right upper",
        frameon=False,
        fontsize=8,
        handlelength=3,
        title="held-out at the end",
        title_fontsize=8,
        alignment="left",
    )
    if title:
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=11)
    return figure


def finite(runs: Mapping[int, Curve]) -> dict[int, Curve]:
    """The runs without evaluations that gave no finite number, and without runs of which nothing is left; by seed."""
    kept = {}
    for seed, (tokens, bits) in sorted(runs.items()):
        fine = np.isfinite(np.asarray(bits, dtype=float))
        if fine.any():
            kept[seed] = Curve(np.asarray(tokens, dtype=float)[fine], np.asarray(bits, dtype=float)[fine])
    return kept


def aligned(runs: Sequence[Curve]) -> Arm | None:
    """Runs at the evaluations of the first, as far as all of them go; between its own evaluations a run is a straight line.
    None when there is no such place."""
    if not runs:
        return None
    grid = np.asarray(runs[0].tokens)
    grid = grid[(grid >= max(run.tokens[0] for run in runs)) & (grid <= min(run.tokens[-1] for run in runs))]
    return Arm(grid, np.stack([np.interp(grid, *run) for run in runs])) if len(grid) else None


def minus(runs: Mapping[int, Curve], reference: Mapping[int, Curve]) -> Arm | None:
    """Differences on the seeds that both have; None when there is none."""
    both = sorted(runs.keys() & reference.keys())
    arm = aligned([*(runs[seed] for seed in both), *(reference[seed] for seed in both)])
    return arm and Arm(arm.tokens, arm.bits[: len(both)] - arm.bits[len(both) :])


def styles(names: Sequence[str], reference: str) -> dict[str, tuple[str, Any]]:
    """Colour and dashes of each arm: the reference black, seven others solid, seven dashed, seven dotted."""
    others = cycle((colour, dash) for dash in ("-", (0, (5, 1.5)), (0, (1, 1.2))) for colour in (*COLOURS, "0.55"))
    return {name: ("black", "-") if name == reference else next(others) for name in names}


def _draw(axis: Any, arm: Arm, style: tuple[Any, Any], thick: bool) -> Any:
    from wetware.evaluation.statistics import interval

    (colour, dash), million = style, arm.tokens / 1e6
    if len(arm.bits) > 1:
        low, high = np.array([interval(values) for values in arm.bits.T]).T
        axis.fill_between(million, low, high, color=colour, alpha=0.11, linewidth=0, zorder=1)
    marker = "o" if len(million) == 1 else None  # one evaluation is no line
    width = 2.6 if thick else 1.5
    return axis.plot(
        million, arm.bits.mean(0), color=colour, linestyle=dash, linewidth=width, marker=marker, zorder=2 + thick
    )[0]


def _near(differences: Mapping[str, Arm], margin: float) -> list[Arm]:
    """All but those that lie so far off that the others would be one line."""
    late = {name: _late(arm).tolist() for name, arm in differences.items()}
    most = usual(list(late.values()), margin) if late else 0.0
    return [arm for name, arm in differences.items() if max(map(abs, late[name])) <= most]


def _late(arm: Arm) -> np.ndarray:
    """Its means after the first fifth of training."""
    return arm.bits.mean(0)[arm.tokens >= FIRST * arm.tokens[-1]]


def _frame(axis: Any, arms: Sequence[Arm]) -> None:
    """Axes that fit the means after the first fifth of training, and something around them for the bands."""
    late = [_late(arm) for arm in arms]
    low, high = min(map(np.min, late)), max(map(np.max, late))
    room = 0.12 * (high - low) or 0.01
    axis.set_ylim(low - room, high + room)
    axis.set_xlim(0, max(arm.tokens[-1] for arm in arms) / 1e6)
    axis.set_xlabel("million tokens", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.2, linewidth=0.6)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
