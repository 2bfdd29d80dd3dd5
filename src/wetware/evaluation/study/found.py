"""Found: how many tokens a run reads until it has found a task. Where a loss falls off a cliff, its height at the last step
says only whether that was before or behind it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from wetware.evaluation.statistics import Paired, holm, paired
from wetware.evaluation.study.plan import Plan

Curve = Sequence[tuple[int, float]]


class Found(NamedTuple):
    """Of one arm. tokens: by the seed of each run that found it. runs: that are done. ratio: the logarithm of the tokens as a
    multiple of its reference's, by seed; None where one of either never found it, for what is left then is a selection, and
    for what has no reference or fewer than two seeds. p: of its t test, Holm-corrected."""

    arm: str
    tokens: dict[int, float]
    runs: int
    ratio: Paired | None
    p: float | None

    @property
    def median(self) -> float | None:
        """Of all runs, those that never found it counted as the longest; None when that is one of them."""
        times = sorted([*self.tokens.values(), *[math.inf] * (self.runs - len(self.tokens))])
        middle = statistics.median(times) if times else math.inf
        return middle if middle < math.inf else None


def first_below(curve: Curve, level: float) -> float | None:
    """Tokens at which ``curve`` first goes below ``level``, on straight lines between its points; None if it never does."""
    for (before, high), (after, low) in pairwise(curve):
        if low < level <= high:
            return before + (after - before) * (high - level) / (high - low)
    return float(curve[0][0]) if curve and curve[0][1] < level else None


def found(plan: Plan, curves: Mapping[str, Mapping[int, Curve]]) -> tuple[Found, ...]:
    """Every arm, in the plan's order; the tests of one group are one family. Empty for a plan without ``found``."""
    if plan.found is None:
        return ()
    level = plan.found
    tokens = {
        arm.name: {
            seed: at for seed, curve in curves[arm.name].items() if (at := first_below(curve, level)) is not None
        }
        for arm in plan.arms
    }
    ratios: dict[str, Paired] = {}
    corrected: dict[str, float | None] = {}
    for group in dict.fromkeys(arm.group for arm in plan.arms):
        for arm in plan.arms:
            if arm.group != group or arm.against is None:
                continue
            mine, other = tokens[arm.name], tokens[arm.against]
            seeds = sorted(mine.keys() & other.keys())
            whole = len(mine) == len(curves[arm.name]) and len(other) == len(curves[arm.against])
            if whole and len(seeds) > 1:
                ratios[arm.name] = paired([math.log(mine[seed] / other[seed]) for seed in seeds], margin=math.log(1.1))
        names = [arm.name for arm in plan.arms if arm.group == group and arm.name in ratios]
        corrected |= dict(zip(names, holm([ratios[name].p for name in names]), strict=True))
    return tuple(
        Found(arm.name, tokens[arm.name], len(curves[arm.name]), ratios.get(arm.name), corrected.get(arm.name))
        for arm in plan.arms
    )
