"""How often does a study err?

Simulated studies with planted effects go through the same ``paired`` and ``family`` as real ones: arms and a reference on the
same seeds, each run with noise of its own, so that all differences of a seed share what the reference had. Counted are

- *any false*: studies that call at least one arm without an effect better or worse, allowed .05;
- *found*, of each planted size: arms called by the right name, and the power that the t test has at Holm's strictest step and
  without correction, between which it must lie; of arms without an effect, those called better or worse;
- *equivalent*: arms that are said to be smaller than the margin. For those that are not, allowed .05 over all of them together;
- *coverage*: how often the 95 % intervals of Student and of the BCa bootstrap hold the planted effect.

Noise is normal, as the t test takes it, or heavy-tailed: Student's t with 3 degrees of freedom, of the same deviation. The
difference of two runs with the same noise is symmetric, so skewed noise is no worse a case.

    python benchmarks/statistics_errors.py [--studies 1000] [--seeds 6] [--sd 0.004] [--margin 0.01] [--short]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from rich import box
from rich.table import Table

from harness import Progress, console, options, parse, positive, report
from wetware.evaluation.power import equivalence_power, power
from wetware.evaluation.statistics import ALPHA, Judged, Verdict, family, paired, short

# Planted effects of nine arms, in units of the margin: of the arms at the margin or beyond none may be called smaller.
PLANTED = {"mixed": (0, 0, 0, 0, 0.5, -0.5, 1, -1, 2), "all null": (0,) * 9, "all at the margin": (1, -1) * 4 + (1,)}
BETTER = (Verdict.BETTER, Verdict.SLIGHTLY_BETTER)
WORSE = (Verdict.WORSE, Verdict.SLIGHTLY_WORSE)
WITHIN = (Verdict.EQUIVALENT, Verdict.SLIGHTLY_BETTER, Verdict.SLIGHTLY_WORSE)


class Setting(NamedTuple):
    """How a study is simulated. sd: of a difference, in bits per byte, as ``margin`` and ``effects``."""

    effects: tuple[float, ...]
    seeds: int = 6
    sd: float = 0.004
    margin: float = 0.01
    heavy: bool = False


class Rates(NamedTuple):
    """Shares found. The last five by planted size, of all arms of that size; coverage is None without a bootstrap."""

    any_false: float
    any_false_equivalence: float
    found: dict[float, float]
    wrong_way: dict[float, float]
    equivalent: dict[float, float]
    t_coverage: dict[float, float]
    bca_coverage: dict[float, float] | None


def study(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """Differences [arm, seed]: what is planted, the arm's own noise, less the noise of the reference."""
    shape = (len(setting.effects) + 1, setting.seeds)
    noise = rng.standard_t(3, shape) / math.sqrt(3) if setting.heavy else rng.normal(size=shape)
    runs = noise * setting.sd / math.sqrt(2)
    return np.array(setting.effects)[:, None] + runs[1:] - runs[0]


def simulate(setting: Setting, studies: int, resamples: int = 0, seed: int = 0, progress: Any = None) -> Rates:
    """The error rates of so many studies. ``resamples`` of the bootstrap, 0: without it."""
    rng, judged = np.random.default_rng(seed), []
    for count in range(studies):
        if progress:
            progress(f"study {count + 1} of {studies}")
        differences = study(setting, rng)
        judged.append(family([paired(row, setting.margin, resamples=resamples, seed=count) for row in differences]))
    return rates(setting, judged)


def rates(setting: Setting, studies: Sequence[Sequence[Judged]]) -> Rates:
    """Count what was said against what was planted."""
    verdicts = np.array([[one.verdict for one in arms] for arms in studies])
    effects = np.array(setting.effects)
    named, within = np.isin(verdicts, BETTER + WORSE), np.isin(verdicts, WITHIN)
    right = np.where(effects < 0, np.isin(verdicts, BETTER), np.isin(verdicts, WORSE))
    covered = {
        kind: np.array(
            [
                [holds(getattr(one.effect, kind), effect) for one, effect in zip(arms, effects, strict=True)]
                for arms in studies
            ]
        )
        for kind in ("interval", "bootstrap")
    }

    def by_size(said: np.ndarray) -> dict[float, float]:
        sizes = np.abs(effects)
        return {float(size): float(said[:, sizes == size].mean()) for size in np.unique(sizes)}

    large = np.abs(effects) >= setting.margin
    return Rates(
        any_false=float(named[:, effects == 0].any(1).mean()),
        any_false_equivalence=float(within[:, large].any(1).mean()),
        found=by_size(np.where(effects == 0, named, right)),
        wrong_way=by_size(named & ~right & (effects != 0)),
        equivalent=by_size(within),
        t_coverage=by_size(covered["interval"]),
        bca_coverage=by_size(covered["bootstrap"]) if studies[0][0].effect.bootstrap else None,
    )


def holds(interval: tuple[float, float] | None, effect: float) -> bool:
    return interval is not None and interval[0] <= effect <= interval[1]


def expected_power(setting: Setting, size: float) -> tuple[float, float]:
    """Of an effect of ``size``, at Holm's strictest step and without correction."""
    strict = ALPHA / len(setting.effects)
    return tuple(power(setting.seeds, size / setting.sd, alpha) for alpha in (strict, ALPHA))


def expected_equivalence(setting: Setting, size: float) -> tuple[float, float]:
    """How often equivalence is shown for an effect of ``size``, likewise."""
    strict = ALPHA / len(setting.effects)
    return tuple(equivalence_power(setting.seeds, setting.sd, setting.margin, size, alpha) for alpha in (strict, ALPHA))


def show(title: str, setting: Setting, found: Rates) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    headings = (
        "planted",
        "arms",
        "found",
        "t test's power",
        "wrong way",
        "equivalent",
        "by the t test",
        "t covers",
        "BCa covers",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for size, share in found.found.items():
        bca = "" if found.bca_coverage is None else f"{found.bca_coverage[size]:.3f}"
        table.add_row(
            f"{size:g}",
            str(sum(abs(effect) == size for effect in setting.effects)),
            f"{share:.3f}",
            " to ".join(map(short, expected_power(setting, size))) if size else "",
            f"{found.wrong_way[size]:.3f}" if size else "",
            f"{found.equivalent[size]:.3f}",
            " to ".join(map(short, expected_equivalence(setting, size))),
            f"{found.t_coverage[size]:.3f}",
            bca,
        )
    console().print(table)
    if 0 in found.found:
        console().print(f"any false better or worse: {found.any_false:.3f} of studies, allowed {short(ALPHA)}")
    if max(map(abs, setting.effects)) >= setting.margin:
        console().print(f"any false equivalence: {found.any_false_equivalence:.3f} of studies, allowed {short(ALPHA)}")
    console().print()


def main(argv: Sequence[str] | None = None) -> int:
    parser = options(__doc__, rounds=1000)
    parser.add_argument("--studies", type=positive, help="another name of --rounds: studies of each kind")
    parser.add_argument("--seeds", type=positive, default=6, help="seeds of a study (default: 6)")
    parser.add_argument("--sd", type=float, default=0.004, help="of a difference, in bits per byte (default: 0.004)")
    parser.add_argument("--margin", type=float, default=0.01, help="of equivalence, in bits per byte (default: 0.01)")
    parser.add_argument("--resamples", type=int, default=1999, help="of the bootstrap; 0 leaves it out (default: 1999)")
    given = parse(parser, argv, {"rounds": 50, "resamples": 199})
    if given.seeds < 2 or min(given.sd, given.margin) <= 0 or given.resamples < 0:
        parser.error("allowed: 2 seeds or more, a standard deviation and a margin above 0, and 0 resamples or more")
    studies, results = given.studies or given.rounds, {}
    for heavy in (False, True):
        for name, sizes in PLANTED.items():
            title = f"{name}, {'heavy-tailed' if heavy else 'normal'} noise"
            setting = Setting(tuple(size * given.margin for size in sizes), given.seeds, given.sd, given.margin, heavy)
            progress = Progress(title)
            found = simulate(setting, studies, given.resamples, progress=progress)
            progress.done()
            show(title, setting, found)
            results[title] = found._asdict()
    report(
        "statistics_errors",
        argv,
        given.threads,
        results=results,
        studies=studies,
        seeds=given.seeds,
        sd=given.sd,
        margin=given.margin,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
