"""What do a split, a merge and a death do to the loss, in a training run?

A recipe with experts is trained, and held-out text is read right before and right after the rule of each layer acted; and
one optimizer step earlier, for scale: what one step of learning does to the same number. The run is an ordinary one and
stays in its folder: ``wetware inspect FOLDER`` draws who came from whom.

    python benchmarks/succession.py [--recipe bio_nanochat_experts] [--tokens 800000] [--held-out 16384] [--out DIR]
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from harness import Progress, console, options, parse, positive, report
from wetware.plasticity import Between, Rule
from wetware.recipes import recipe
from wetware.training import Tokens, Trainer


class Watch:
    """Reads held-out text, once for each state of the weights."""

    def __init__(self, trainer: Trainer, every: int, tokens: int) -> None:
        self.trainer, self.every, self.tokens = trainer, every, tokens
        self.found: list[dict[str, Any]] = []
        self.read: dict[tuple[int, int], float] = {}  # by step, and how much has happened by then
        self.progress = Progress("training")

    def loss(self, step: int) -> float:
        """Bits per byte."""
        state = (step, len(self.found))
        if state not in self.read:
            self.progress(f"step {step:,}")
            self.read[state] = self.trainer.evaluate(self.tokens).bits_per_byte
        return self.read[state]


class Watched(Rule):
    """A rule, and what the held-out loss was around what it did."""

    def __init__(self, rule: Rule, name: str, watch: Watch) -> None:
        self.rule, self.name, self.watch = rule, name, watch

    def apply(self, between: Between) -> list[dict[str, Any]]:
        step, watch = between.step, self.watch
        if step % watch.every == watch.every - 1:
            watch.loss(step)
        if step % watch.every:
            return self.rule.apply(between)
        before, first = watch.loss(step), min(state for state in watch.read if state[0] == step)
        events = self.rule.apply(between)
        if events:
            one = {
                "step": step,
                "layer": self.name,
                "kinds": "+".join(event["what"] for event in events),
                "before": before,
            }
            one["learned"] = watch.read[first] - watch.read[step - 1, first[1]]
            watch.found.append(one)
            one["after"] = watch.loss(step)
        return events


def train(name: str, tokens: int, held_out: int, folder: Path) -> list[dict[str, Any]]:
    run: Any = recipe(name)
    watching = replace(run.monitoring, evaluate_every=10**9, sample_every=10**9, checkpoint_every=10**9)
    run = replace(run, training=replace(run.training, limit=Tokens(count=tokens)), monitoring=watching)
    trainer = Trainer(run, folder)
    watch = Watch(trainer, run.model.experts.lifecycle.every, held_out)
    trainer.rules = {name: Watched(rule, name, watch) for name, rule in trainer.rules.items()}
    trainer.fit()
    return watch.found


def show(found: list[dict[str, Any]]) -> dict[str, Any]:
    """A line for each thing that happened; gives the summary by kind."""
    table = Table(
        title="held-out bits per byte around each event", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for heading in ("step", "layer", "what", "before", "after", "change", "the step before it"):
        table.add_column(heading, justify="left" if heading in ("layer", "what") else "right")
    summary: dict[str, Any] = {}
    for event in found:
        change = event["after"] - event["before"]
        learned = f"{event['learned']:+.5f}"
        cells = (f"{event['before']:.5f}", f"{event['after']:.5f}", f"{change:+.5f}", learned)
        table.add_row(str(event["step"]), event["layer"], event["kinds"], *cells)
        summary.setdefault(event["kinds"], []).append(change)
    console().print(table)
    steps = [abs(event["learned"]) for event in found]
    return {
        "changes": {
            kind: {"times": len(changes), "mean": statistics.fmean(changes), "largest": max(changes, key=abs)}
            for kind, changes in sorted(summary.items())
        },
        "one_step": {"mean_size": statistics.fmean(steps), "largest": max(steps)} if steps else None,
    }


def main(argv: Sequence[str] | None = None) -> None:
    made = options(__doc__, rounds=1)
    made.add_argument("--recipe", default="bio_nanochat_experts", help="with experts (default: bio_nanochat_experts)")
    made.add_argument("--tokens", type=positive, default=800_000, help="to train on (default: 800,000)")
    made.add_argument(
        "--held-out", type=positive, default=16_384, help="tokens read around each event (default: 16,384)"
    )
    made.add_argument("--out", type=Path, help="the run's folder (default: one that is removed)")
    given = parse(made, argv, {"tokens": 120_000, "held_out": 2048})
    with tempfile.TemporaryDirectory() as spare:
        found = train(given.recipe, given.tokens, given.held_out, given.out or Path(spare) / "run")
    report("succession", argv, given.threads, recipe=given.recipe, tokens=given.tokens, **show(found), events=found)


if __name__ == "__main__":
    main()
