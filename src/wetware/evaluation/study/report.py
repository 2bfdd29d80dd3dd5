"""Report: the results of a study for people who doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from wetware.config import snake
from wetware.evaluation.document import Document
from wetware.evaluation.statistics import Interval, interval, short
from wetware.evaluation.study.arms import ADDED, ANCHOR, CONTROL, EQUAL_TIME, LEFT_OUT, LONGER, PEER
from wetware.evaluation.study.found import Found, found
from wetware.evaluation.study.plan import ANALYSIS
from wetware.evaluation.study.results import Outcome, Results

TITLES = {
    ANCHOR: "Anchors",
    LEFT_OUT: "Left out of the whole",
    ADDED: "Added alone to the bare skeleton",
    CONTROL: "Controls",
    LONGER: "Everything on, trained longer",
    PEER: "Peers at equal tokens",
    EQUAL_TIME: "Peers at equal time",
}
COLUMNS = ("arm", "bits per byte", "effect [95 %]", "corrected p", "equivalence p", "verdict", "time a token")
DETAILS = (
    "arm",
    "what it is",
    "seeds",
    "parameters",
    "before matching",
    "tokens",
    "effect",
    "t interval",
    "BCa interval",
    "p",
    "sign-flip p",
    "equivalence p",
    "d",
    "firing",
)


def document(results: Results, pictures: Mapping[str, Path]) -> Document:
    """The report. ``pictures`` by name: ``forest``, ``curves``."""
    plan = results.plan
    report = Document(f"Study: {plan.name}")
    report.text(plan.question)
    if results.done < len(results.cells):
        failed = sum(len(outcome.failed) for outcome in results.outcomes)
        state = f"{results.done} of {len(results.cells)} cells are done, {failed} failed"
        report.text(f"**{state}: what follows is over the seeds that both sides of a comparison have.**")
    report.text(
        f"{plan.seeds} seeds; bits per byte of held-out text, lower is better. An effect is the arm minus what it is compared "
        f"with, paired by seed; below {plan.margin} nobody would care (the margin). p values are Holm-corrected within a table."
    )
    for group in dict.fromkeys(outcome.arm.group for outcome in results.outcomes):
        report.heading(TITLES.get(group, group))
        members = [outcome for outcome in results.outcomes if outcome.arm.group == group]
        report.text(_compared(members))
        report.table(COLUMNS, [row(outcome) for outcome in members])
    if timed := [outcome for outcome in results.outcomes if outcome.timed]:
        report.heading("At equal time")
        report.text(
            "What an arm is worth against everything on when that trains as long as the arm did, on more tokens: interpolated "
            "between the arms that train it longer. An arm that takes no more time a token is compared at equal tokens."
        )
        report.table(("arm", "effect [95 %]", "time a token"), [_timed(outcome) for outcome in timed])
    if reached := found(plan, results.curves):
        report.heading(f"Tokens until {plan.found:g} bits per byte")
        report.text(
            "Where the held-out curve first goes below that, between two evaluations on a straight line. Compared by seed, as "
            "a multiple of the reference's tokens, where all runs of both found it; Holm-corrected within a group."
        )
        report.table(
            ("arm", "found", "median tokens", "times [95 %]", "corrected p"), [_found(each) for each in reached]
        )
    for measure in plan.measures:
        if figures := results.measured[snake(type(measure).__name__)]:
            table = measure.side_by_side(figures)
            report.heading(measure.title)
            report.text(table.note)
            report.table(table.columns, list(table.rows))
    for name, about in (("forest", "effects with 95 % intervals"), ("curves", "learning curves with 95 % bands")):
        if name in pictures:
            report.picture(pictures[name], about)
    report.heading("What so many seeds can show")
    report.points(list(results.limits))
    report.heading("Everything that was computed")
    report.table(DETAILS, [details(outcome) for outcome in results.outcomes])
    failures = [
        f"{outcome.arm.name}, seed {seed}: {error}"
        for outcome in results.outcomes
        for seed, error in outcome.failed.items()
    ]
    if failures:
        report.heading("Cells that failed")
        report.points(failures)
    report.heading("How it was made")
    if plan.command:
        report.code(plan.command)
    report.points([f"Plan registered before the first cell, digest `{results.digest}`.", *ANALYSIS, *_setting(results)])
    return report


def row(outcome: Outcome) -> tuple[str, ...]:
    """One line of a verdict table."""
    mean, effect, judged = outcome.mean, "", outcome.judged
    score = "failed" if mean is None else _spread(mean, outcome.interval)
    if judged is not None:
        effect = f"{judged.effect.mean:+.4f} {_ends(judged.effect.interval)}"
    cost = "" if outcome.cost is None else f"{outcome.cost:.2f}x"
    return (
        outcome.arm.name,
        score,
        effect,
        _p(judged and judged.p),
        _p(judged and judged.equivalence_p),
        outcome.verdict,
        cost,
    )


def details(outcome: Outcome) -> tuple[str, ...]:
    """All that was computed of an arm."""
    judged = outcome.judged
    tested = ("",) * 7
    if judged is not None:
        e = judged.effect
        p, equivalence = (f"{value:.2g}" if value is not None else "" for value in (e.p, e.equivalence_p))
        size = f"{e.effect_size:.2f}" if e.effect_size is not None else ""
        bootstrap = f"{_ends(e.bootstrap)}{' (' + e.bootstrap_note + ')' if e.bootstrap_note else ''}"
        tested = (f"{e.mean:+.5f}", _ends(e.interval), bootstrap, p, f"{e.permutation_p:.3g}", equivalence, size)
    return (
        outcome.arm.name,
        outcome.arm.about,
        f"{judged.effect.n if judged else len(outcome.scores)}",
        f"{outcome.parameters:,}",
        f"{outcome.arm.unmatched:,}",
        f"{outcome.arm.tokens:,}",
        *tested,
        " ".join(f"{rate:.1%}" for rate in outcome.firing),
    )


def _found(of: Found) -> tuple[str, ...]:
    times = ""
    if of.ratio is not None and of.ratio.interval is not None:
        mean, low, high = (math.exp(value) for value in (of.ratio.mean, *of.ratio.interval))
        times = f"{mean:.2f} [{low:.2f}, {high:.2f}]"
    return of.arm, f"{len(of.tokens)} of {of.runs}", "" if of.median is None else f"{of.median:,.0f}", times, _p(of.p)


def _timed(outcome: Outcome) -> tuple[str, ...]:
    mean, ends = sum(outcome.timed) / len(outcome.timed), interval(list(outcome.timed))
    return outcome.arm.name, f"{mean:+.4f} {_ends(ends)}", f"{outcome.cost or 1.0:.2f}x"


def _compared(members: list[Outcome]) -> str:
    references = list(dict.fromkeys(outcome.arm.against for outcome in members if outcome.arm.against))
    if len(references) == 1:
        return f"Compared with `{references[0]}`."
    each = [f"`{outcome.arm.name}` with `{outcome.arm.against}`" for outcome in members if outcome.arm.against]
    return f"Compared: {'; '.join(each)}." if each else ""


def _spread(mean: float, interval: Interval | None) -> str:
    return f"{mean:.4f}" + (f" ± {(interval.high - interval.low) / 2:.4f}" if interval else "")


def _p(p: float | None) -> str:
    return "" if p is None else "< .001" if p < 0.001 else short(p)


def _ends(interval: Interval | None) -> str:
    return f"[{interval.low:+.4f}, {interval.high:+.4f}]" if interval else ""


def _setting(results: Results) -> list[str]:
    rows = [cell.result for cell in results.cells if cell.result]
    if not rows:
        return []
    seen = {key: ", ".join(sorted({str(row[key]) for row in rows})) for key in ("machine", "torch", "version")}
    minutes = sum(row["processor_seconds"] for row in rows) / 60
    plan = results.plan
    text = f"Final score on {rows[0]['tokens']:,} tokens, {rows[0]['bytes']:,} bytes of held-out text."
    pace = (
        "Time a token: training speeds measured before the first cell, every arm in turn, "
        f"{plan.threads} thread{'s' * (plan.threads > 1)} each: a ratio of this machine and these backends."
    )
    made = f"{seen['machine']}; torch {seen['torch']}; wetware {seen['version']}"
    return [text, pace, f"{made}; about {minutes:.0f} minutes of processor time."]
