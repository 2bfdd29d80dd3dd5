"""Plan: a study written down before anything of it is known, with a digest that its results carry."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from wetware.config import ConfigError, from_dict, to_dict
from wetware.data import prepare
from wetware.data.files import digest
from wetware.evaluation.measure import Measure
from wetware.evaluation.measures import measures
from wetware.evaluation.study.arms import EQUAL_TIME, PEER, Arm, Study
from wetware.evaluation.study.matching import parameters
from wetware.training import Monitoring, Tokens, Trainer

FORMAT = 1
ROUNDS, STEPS = 5, 3  # of the measurement of speed: rounds in which every arm has its turn, of so many steps
CURVE = 10  # evaluations along each run
FINE = 40  # the same, where it matters when the curve falls
CURVE_TOKENS = (
    20_000  # of each, at most; in a short run no more than a fiftieth of it, lest looking costs as much as learning
)

ANALYSIS = (
    "Outcome: bits per byte of held-out text, state carried, of the model at its last step (never the best checkpoint).",
    "Effect of an arm: mean over seeds of its outcome minus that of its reference at the same seed; a seed fixes the order of "
    "the text, and by path the first value of every parameter that both have with the same shape.",
    "Interval: Student's t, 95 %; a BCa bootstrap interval is given beside it.",
    "Test: paired t, two-sided; Holm's correction within each group of arms, at 0.05; the exact sign-flip permutation p is "
    "given beside it.",
    "Equivalence: two one-sided t tests against the margin, Holm's correction within the group too.",
    "A failed cell is a row; its seed is left out of the comparisons of its arm, and the number of seeds is printed.",
)


@dataclass(frozen=True)
class Plan:
    """What will be trained and how it will be judged.

    speeds: training tokens a second of each arm, measured before the first cell, every arm in turn, on ``threads`` threads:
    what the time left is estimated from, and the cost of an arm. command: what makes the study again. measures: taken of each
    finished cell beside its score. found: bits per byte below which a run has found its task.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    seeds: int
    margin: float
    held_out: int | None
    threads: int
    speeds: tuple[float, ...]
    command: str = ""
    measures: tuple[Measure, ...] = ()
    found: float | None = None

    @property
    def cells(self) -> list[tuple[str, int]]:
        """(arm, seed) of every cell, seed by seed, so that an unfinished study is a balanced one."""
        return [(arm.name, seed) for seed in range(self.seeds) for arm in self.arms]

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def speed(self, name: str) -> float:
        return dict(zip((arm.name for arm in self.arms), self.speeds, strict=True))[name]

    def seconds(self, name: str) -> float:
        """How long a cell of that arm should take."""
        return self.arm(name).tokens / self.speed(name)

    @property
    def digest(self) -> str:
        return digest(self.to_dict())

    def asks(self, other: Plan) -> bool:
        """Whether the other plan is the same but for measured speeds: a plan may be resumed with, not changed."""
        return digest(self._asked()) == digest(other._asked())

    def _asked(self) -> dict[str, Any]:
        plain = self.to_dict()
        arms = [arm for arm in plain["arms"] if arm["group"] != EQUAL_TIME]
        return {**plain, "arms": arms, "speeds": None, "threads": None, "command": None}

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = dict(vars(self))
        arms = [arm.to_dict() for arm in self.arms]
        del plain["measures"]
        if self.measures:  # left out when there are none, so that plans without keep the digests they had
            plain["measures"] = [to_dict(measure) for measure in self.measures]
        if self.found is None:
            del plain["found"]
        return {"format": FORMAT, **plain, "arms": arms, "speeds": list(self.speeds), "analysis": list(ANALYSIS)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        kept: dict[str, Any] = {key: value for key, value in data.items() if key not in ("format", "analysis")}
        kept |= {"arms": tuple(Arm.from_dict(arm) for arm in data["arms"]), "speeds": tuple(data["speeds"])}
        if data.get("measures"):
            measures()  # a process that was started for a plan knows its measures only when they are imported
        kept["measures"] = tuple(from_dict(measure) for measure in data.get("measures", ()))
        return cls(**kept)

    def markdown(self) -> str:
        """The pre-registration for people."""
        budget = sum(self.seconds(name) for name, _ in self.cells)
        lines = [
            f"# Pre-registration: {self.name}",
            "",
            self.question,
            "",
            f"Digest of the plan: `{self.digest}`. {len(self.arms)} arms, {self.seeds} seeds (0 to {self.seeds - 1}), "
            f"{len(self.cells)} cells; margin of equivalence {self.margin} bits per byte; about {budget / 60:.0f} minutes of "
            f"one worker with {self.threads} thread{'s' * (self.threads > 1)}.",
            "",
            "| arm | group | compared with | tokens | parameters (before matching) | tokens/s |",
            "|---|---|---|---|---|---|",
        ]
        for arm, speed in zip(self.arms, self.speeds, strict=True):
            count = parameters(arm.run.model)
            size = f"{count:,}" + (f" ({arm.unmatched:,})" if arm.unmatched != count else "")
            lines.append(f"| {arm.name} | {arm.group} | {arm.against or ''} | {arm.tokens:,} | {size} | {speed:,.0f} |")
        lines += ["", "## Analysis", "", *(f"- {line}" for line in ANALYSIS)]
        if self.measures:
            titles = "; ".join(f"{measure.title} ({type(measure).__name__})" for measure in self.measures)
            lines.append(f"- Beside it, of every cell, without a test: {titles}.")
        if self.found is not None:
            lines.append(
                f"- Beside it, tokens until the held-out loss is first below {self.found:g} bits per byte, as a multiple of "
                "the reference's (paired t test of the logarithms, Holm's correction): where all runs of both arms find it."
            )
        return "\n".join([*lines, ""])


Told = Callable[[str, float], None]  # what is being done, and the share that is done


def draw_up(
    name: str,
    study: Study,
    *,
    threads: int = 1,
    command: str = "",
    measure: bool = True,
    progress: Told = lambda text, share: None,
) -> Plan:
    """Make a study's plan: read the text, make the arms, measure how fast each trains.

    Without ``measure`` the speeds are 1, for asking whether a plan is the same (:meth:`Plan.asks`). Raises ConfigError for a
    measure that a report could not show.
    """
    for taken in study.measures:
        if (
            type(taken).side_by_side is Measure.side_by_side
        ):  # its report could not be written, after all cells were trained
            raise ConfigError(
                f"{type(taken).__name__} cannot be taken of a study's cells: it has no table of several models"
            )
    progress("reading the text and making its tokenizer", 0.0)
    tokenizer, _, _ = prepare(study.run.corpus, study.run.tokenizer)
    arms = replace(study, run=study.run.fitted(tokenizer.vocab_size, tokenizer.boundary)).arms()
    speeds = _speeds(arms, threads, progress) if measure else (1.0,) * len(arms)
    if study.equal_time:
        pace = dict(zip((arm.name for arm in arms), speeds, strict=True))
        for arm in [arm for arm in arms if arm.group == PEER]:
            tokens = max(1, round(study.tokens * pace[arm.name] / pace[arms[0].name], -3))
            training = replace(arm.run.training, limit=Tokens(count=int(tokens)))
            run, about = replace(arm.run, training=training), f"{arm.about}, as many tokens as fit in the same time"
            arms += (replace(arm, name=f"{arm.name}, equal time", group=EQUAL_TIME, run=run, about=about),)
            speeds += (pace[arm.name],)
    points = CURVE if study.found is None else FINE
    watched = tuple(replace(arm, run=_watched(arm.run, points)) for arm in arms)
    asked = (study.question, watched, study.seeds, study.margin, study.held_out)
    return Plan(name, *asked, threads, speeds, command, study.measures, study.found)


def _watched(run: Any, points: int) -> Any:
    """A run as a cell: a curve of so many points, checkpoints enough to lose little by a kill, no samples."""
    steps = max(1, run.training.limit.count // (run.training.batch * run.training.chunk))
    monitoring = Monitoring(
        log_every=max(1, steps // 50),
        evaluate_every=max(1, steps // points),
        evaluate_tokens=min(CURVE_TOKENS, max(1, run.training.limit.count // 50)),
        sample_every=2**31,
        sample_tokens=1,
        checkpoint_every=max(1, steps // CURVE),
        keep=1,
    )
    return replace(run, monitoring=monitoring)


def _speeds(arms: Sequence[Arm], threads: int, progress: Told) -> tuple[float, ...]:
    """Training tokens a second of every arm: the median over rounds in which each has its turn. On one thread it is the
    process's own time that counts, which other programs hardly change."""
    clock = time.process_time if threads == 1 else time.perf_counter
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    rates: list[list[float]] = [[] for _ in arms]
    try:
        with TemporaryDirectory() as folder:
            trainers = []
            for index, arm in enumerate(arms):
                progress(f"measuring speed: {arm.name}", 0.3 * index / len(arms))
                trainers.append(Trainer(arm.run, Path(folder) / str(index)))
                trainers[-1].update()  # compiles, warms
            for turn in range(ROUNDS):
                for arm, trainer, rate in zip(arms, trainers, rates, strict=True):
                    done = (turn + len(rate) / ROUNDS / len(arms)) / ROUNDS
                    progress(f"measuring speed: {arm.name}", 0.3 + 0.7 * done)
                    started, read = clock(), trainer.tokens
                    for _ in range(STEPS):
                        trainer.update()
                    rate.append((trainer.tokens - read) / max(clock() - started, 1e-9))
    finally:
        torch.set_num_threads(before)
    return tuple(round(statistics.median(rate), 1) for rate in rates)
