"""CORE: what a model can do that it was not trained for, told by solved examples alone."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from wetware.config import number
from wetware.data import Tokenizer
from wetware.evaluation.bundle import CHOICES, Bundle, Item, Task
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.evaluation.scoring import passages, score
from wetware.models import LanguageModel

BETWEEN = "\n\n"
"""What stands between the examples of a prompt."""


@dataclass(frozen=True, kw_only=True)
class Core(Measure):
    """CORE of DataComp-LM (Li et al., 2024)::

        CORE = mean over tasks of (accuracy - baseline) / (1 - baseline)

    0 is guessing and 1 is perfect. A choice is the one of lowest mean loss a token, over the choice itself (multiple choice)
    or over what follows the context chosen (schema). A continuation of language modelling counts when each of its tokens is
    the likeliest. Solved examples are drawn by ``seed`` from the file of the item, never the item itself.

    Args:
        bundle: a zip or a folder (see ``wetware.evaluation.bundle``).
        max_per_task: at most so many items of a task, drawn by ``seed``; None takes all.
        seed: of the examples and of the items.
    """

    title: ClassVar[str] = "CORE: in-context tasks"

    bundle: str | None = None
    max_per_task: int | None = number(None, 1)
    seed: int = number(0, 0)

    def refusal(self, subject: Subject) -> str | None:
        return None if self.bundle else "it needs a bundle of tasks: a zip or a folder with core.yaml"

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        """Per task and in all, shares from 0 to 1. Raises DataError, naming file and line, for a bundle that is wrong."""
        assert self.bundle is not None
        bundle = Bundle(self.bundle)
        tasks = bundle.tasks()
        items = [bundle.items(task) for task in tasks]  # all are read before the first is asked
        results: list[dict[str, Any]] = []
        for task, its_items in zip(tasks, items, strict=True):

            def step(share: float) -> None:
                progress((len(results) + share) / len(tasks))

            results.append(self._take(task, its_items, subject, step))
        mean = sum(result["centered"] for result in results) / len(results)
        return {"core": mean, "seed": self.seed, "max_per_task": self.max_per_task, "tasks": results}

    def _take(self, task: Task, items: list[Item], subject: Subject, progress: Progress) -> dict[str, Any]:
        chosen = list(range(len(items)))
        if self.max_per_task is not None and self.max_per_task < len(items):
            chosen = sorted(Random(f"{self.seed}/{task.label}").sample(chosen, self.max_per_task))
        asked = [self.prompts(task, items, index) for index in chosen]
        right = _right(task, [items[index] for index in chosen], asked, subject.model, subject.tokenizer, progress)
        accuracy = sum(right) / len(right)
        return {
            "task": task.label,
            "kind": task.kind,
            "shots": task.shots,
            "items": len(right),
            "accuracy": accuracy,
            "baseline": task.baseline,
            "centered": (accuracy - task.baseline) / (1 - task.baseline),
        }

    def prompts(self, task: Task, items: list[Item], index: int) -> list[tuple[str, str]]:
        """``(context, continuation)`` of every way to complete an item, solved examples first."""
        others = [other for other in range(len(items)) if other != index]
        shots = Random(f"{self.seed}/{task.label}/{index}").sample(others, task.shots)
        before = "".join("".join(_solved(task, items[shot])) + BETWEEN for shot in shots)
        return [(before + context, continuation) for context, continuation in _ways(task, items[index])]

    def table(self, figures: dict[str, Any]) -> Table:
        rows = [
            (
                result["task"],
                f"{result['shots']}",
                f"{result['items']}",
                f"{result['accuracy']:.3f}",
                f"{result['baseline']:.3f}",
                f"{result['centered']:+.3f}",
            )
            for result in figures["tasks"]
        ]
        rows.append(("CORE", "", "", "", "", f"{figures['core']:+.4f}"))
        note = "Centered: 0 is guessing, 1 is perfect; CORE is their mean."
        return Table(("task", "examples", "items", "accuracy", "guessing", "centered"), tuple(rows), note)


def _ways(task: Task, item: Item) -> list[tuple[str, str]]:
    """``(context, continuation)`` of every way to complete an item."""
    row = item.row
    if task.kind == "multiple_choice":
        return [(row["query"] + task.delimiter, choice) for choice in row["choices"]]
    if task.kind == "schema":
        return [(context + task.delimiter, row["continuation"]) for context in row["context_options"]]
    return [(row["context"].strip() + task.delimiter, row["continuation"])]


def _solved(task: Task, item: Item) -> tuple[str, str]:
    ways = _ways(task, item)
    return ways[item.row["gold"]] if task.kind in CHOICES else ways[0]


def _right(
    task: Task,
    items: list[Item],
    asked: list[list[tuple[str, str]]],
    model: LanguageModel,
    tokenizer: Tokenizer,
    progress: Progress,
) -> list[bool]:
    """Which items the model gets right."""
    pairs = [pair for prompts in asked for pair in prompts]
    likelihoods = iter(score(model, tokenizer, passages(tokenizer, pairs), progress=progress))
    answers = [[next(likelihoods) for _ in prompts] for prompts in asked]
    if task.kind not in CHOICES:
        return [answer[0].greedy for answer in answers]
    losses = [[likelihood.loss for likelihood in answer] for answer in answers]
    return [of.index(min(of)) == item.row["gold"] for item, of in zip(items, losses, strict=True)]
