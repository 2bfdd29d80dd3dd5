"""Results: what the cells of a study say, arm by arm."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from wetware.config import snake
from wetware.evaluation.power import limits
from wetware.evaluation.statistics import Interval, Judged, Verdict, family, interval, paired
from wetware.evaluation.study.arms import ADDED, EQUAL_TIME, LEFT_OUT, LONGER, Arm
from wetware.evaluation.study.matching import parameters
from wetware.evaluation.study.plan import Plan
from wetware.evaluation.study.store import DONE, FAILED, Cell, Store

# What a verdict on an arm says of the mechanism that was taken out of it.
_OF_MECHANISM = {
    Verdict.WORSE: "helps",
    Verdict.SLIGHTLY_WORSE: "helps, by less than the margin",
    Verdict.BETTER: "hurts",
    Verdict.SLIGHTLY_BETTER: "hurts, by less than the margin",
    Verdict.EQUIVALENT: "makes no difference",
    Verdict.UNDECIDED: "undecided",
}
_TURNED = {
    Verdict.WORSE: Verdict.BETTER,
    Verdict.BETTER: Verdict.WORSE,
    Verdict.SLIGHTLY_WORSE: Verdict.SLIGHTLY_BETTER,
    Verdict.SLIGHTLY_BETTER: Verdict.SLIGHTLY_WORSE,
}


class Outcome(NamedTuple):
    """One arm. scores: bits per byte by seed. judged: the effect against its reference (None: an anchor without one, or too
    few seeds). cost: seconds a token, as a multiple of its reference's. timed: the effect by seed against what its reference is
    worth when it trains as long as this arm did (see :func:`at_equal_time`)."""

    arm: Arm
    parameters: int
    scores: dict[int, float]
    failed: dict[int, str]
    judged: Judged | None
    cost: float | None
    firing: tuple[float, ...]
    timed: tuple[float, ...] = ()

    @property
    def mean(self) -> float | None:
        return plain.fmean(self.scores.values()) if self.scores else None

    @property
    def interval(self) -> Interval | None:
        return interval(list(self.scores.values())) if self.scores else None

    @property
    def verdict(self) -> str:
        """In words: of the mechanism, where one was taken out or put in; else of the arm against its reference."""
        if self.judged is None:
            return ""
        said = self.judged.verdict
        if self.arm.group == LEFT_OUT:
            return _OF_MECHANISM[said]
        return _OF_MECHANISM[_TURNED.get(said, said)] if self.arm.group == ADDED else said.value


class Results(NamedTuple):
    """A study as it stands. curves: for each arm and seed, (tokens, bits per byte) along the run. measured: by the name of a
    measure and the arm, the figures of each finished cell; without those of models that it refused."""

    plan: Plan
    digest: str
    cells: tuple[Cell, ...]
    outcomes: tuple[Outcome, ...]
    limits: tuple[str, ...]
    curves: dict[str, dict[int, list[tuple[int, float]]]]
    measured: dict[str, dict[str, list[dict[str, Any]]]]

    @property
    def done(self) -> int:
        return sum(cell.status == DONE for cell in self.cells)

    def rows(self) -> list[dict[str, Any]]:
        """Every cell as a flat row, for CSV and JSONL."""
        rows = []
        for cell in self.cells:
            row = {"study": cell.study, "plan": self.digest, "arm": cell.arm, "seed": cell.seed, "status": cell.status}
            rows.append({**row, "error": cell.error, **{k: v for k, v in cell.result.items() if k != "curve"}})
        return rows

    def effects(self) -> list[dict[str, Any]]:
        """Every comparison as plain data."""
        found = []
        for outcome in self.outcomes:
            if outcome.judged is None:
                continue
            effect, judged = outcome.judged.effect, outcome.judged
            about = {"arm": outcome.arm.name, "group": outcome.arm.group, "against": outcome.arm.against}
            tests = {"p_corrected": judged.p, "equivalence_p_corrected": judged.equivalence_p, "cost": outcome.cost}
            found.append({**about, **effect._asdict(), **tests, "verdict": outcome.verdict})
        return found


def results(store: Store, name: str) -> Results:
    """Judge what is there of a study; arms of one group are one family of tests."""
    plan, cells = store.plan(name), tuple(store.cells(name))
    scores: dict[str, dict[int, float]] = {arm.name: {} for arm in plan.arms}
    failed: dict[str, dict[int, str]] = {arm.name: {} for arm in plan.arms}
    for cell in cells:
        if cell.status == DONE:
            scores[cell.arm][cell.seed] = cell.result["bits_per_byte"]
        elif cell.status == FAILED:
            failed[cell.arm][cell.seed] = cell.error or ""
    judged: dict[str, Judged] = {}
    for group in dict.fromkeys(arm.group for arm in plan.arms):
        arms = [arm for arm in plan.arms if arm.group == group and len(_differences(arm, scores)) > 1]
        verdicts = family([paired(_differences(arm, scores), plan.margin) for arm in arms])
        judged |= dict(zip((arm.name for arm in arms), verdicts, strict=True))
    outcomes = tuple(
        Outcome(
            arm,
            parameters(arm.run.model),
            scores[arm.name],
            failed[arm.name],
            judged.get(arm.name),
            plan.speed(arm.against) / plan.speed(arm.name) if arm.against else None,
            _firing([cell for cell in cells if cell.arm == arm.name]),
            at_equal_time(plan, arm, scores),
        )
        for arm in plan.arms
    )
    curves = {
        arm.name: {
            cell.seed: [(tokens, bits) for tokens, bits, _ in cell.result["curve"]]
            for cell in cells
            if cell.arm == arm.name and cell.status == DONE
        }
        for arm in plan.arms
    }
    limits_of = _limits(plan, list(judged.values()))
    return Results(plan, store.digest(name), cells, outcomes, limits_of, curves, _measured(plan, cells))


def at_equal_time(plan: Plan, arm: Arm, scores: dict[str, dict[int, float]]) -> tuple[float, ...]:
    """By seed: the score of ``arm`` minus that of everything on after as much time, interpolated in the logarithm of its tokens
    between the arms that train it longer. Empty where the study trains nothing longer, or not long enough."""
    whole = next((other for other in plan.arms if other.against is None), None)
    longer = sorted((other.tokens, other.name) for other in plan.arms if other.group == LONGER)
    if whole is None or not longer or arm.against != whole.name or arm.group in (LONGER, EQUAL_TIME):
        return ()
    rungs = [(whole.tokens, whole.name), *longer]
    # an arm that takes less time a token is given no more than it used: equal tokens, then, not equal time
    tokens = max(float(whole.tokens), arm.tokens * plan.speed(whole.name) / plan.speed(arm.name))
    if tokens > rungs[-1][0]:
        return ()
    (low, below), (high, above) = next(pair for pair in pairwise(rungs) if tokens <= pair[1][0])
    share = math.log(tokens / low) / math.log(high / low)
    seeds = sorted(scores[arm.name].keys() & scores[below].keys() & scores[above].keys())
    return tuple(
        scores[arm.name][seed] - (1.0 - share) * scores[below][seed] - share * scores[above][seed] for seed in seeds
    )


def _differences(arm: Arm, scores: dict[str, dict[int, float]]) -> list[float]:
    if arm.against is None:
        return []
    mine, other = scores[arm.name], scores[arm.against]
    return [mine[seed] - other[seed] for seed in sorted(mine.keys() & other.keys())]


def _measured(plan: Plan, cells: Sequence[Cell]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name in (snake(type(measure).__name__) for measure in plan.measures):
        taken = [(cell.arm, cell.result["measures"][name]) for cell in cells if name in cell.result.get("measures", {})]
        by_arm = {arm.name: [f for of, f in taken if of == arm.name and "refused" not in f] for arm in plan.arms}
        found[name] = {arm: figures for arm, figures in by_arm.items() if figures}
    return found


def _limits(plan: Plan, judged: Sequence[Judged]) -> tuple[str, ...]:
    """What so many seeds can show, for the largest family and the median spread that was seen."""
    spreads = [item.effect.sd for item in judged if item.effect.sd]
    groups = [arm.group for arm in plan.arms if arm.against is not None]
    largest = max((groups.count(group) for group in groups), default=1)
    seen = plain.median(spreads) if spreads else None
    return tuple(limits(plan.seeds, largest, sd=seen, margin=plan.margin))


def _firing(cells: Sequence[Cell]) -> tuple[float, ...]:
    rates = [cell.result["firing"] for cell in cells if cell.result.get("firing")]
    return tuple(plain.fmean(layer) for layer in zip(*rates, strict=True)) if rates else ()
