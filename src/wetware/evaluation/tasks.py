"""Asking a model the questions of a memory task: how many it answers, with an interval, beside what guessing would give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch

from wetware.config import number
from wetware.data.tasks import Example, Task
from wetware.data.tokenizers import Tokenizer
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.evaluation.shares import wilson
from wetware.models import LanguageModel

SOLVED = 0.9  # the accuracy from which a size counts as solved


class Tally(NamedTuple):
    """questions: how many were asked. correct: how many answered right. chance: share that guessing would have answered."""

    questions: int
    correct: int
    chance: float


def written(tokenizer: Tokenizer, text: str) -> list[int]:
    """``text`` as one token a character. Raises ValueError for a character that is not one token."""
    table = {character: tokenizer.encode(character) for character in set(text)}
    several = sorted(character for character, tokens in table.items() if len(tokens) != 1)
    if several:
        raise ValueError(f"the tokenizer has no single token for {several[0]!r}")
    return [table[character][0] for character in text]


@torch.inference_mode()
def ask(
    model: LanguageModel,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    marks: str,
    *,
    chunk: int = 512,
    rows: int = 64,
    heard: Callable[[int], None] | None = None,
) -> Tally:
    """Answer every question of ``examples``, all of one length: what is likeliest of all tokens after each of the
    ``marks``.

    A question is read after the true answers to those before it. The state is carried from ``chunk`` to chunk, at most
    ``rows`` texts side by side; ``heard(tokens)`` is told what has been read.
    """
    device, asking = next(model.parameters()).device, torch.tensor(written(tokenizer, marks))
    questions = correct = 0
    for first in range(0, len(examples), rows):
        group = examples[first : first + rows]
        texts = torch.tensor([[tokenizer.boundary, *written(tokenizer, example.text)] for example in group])
        state = model.init_state(len(texts))
        for start in range(0, texts.shape[1] - 1, chunk):
            end = min(start + chunk, texts.shape[1] - 1)
            inputs, targets = texts[:, start:end], texts[:, start + 1 : end + 1]
            output = model(inputs.to(device), state)
            state, asked = output.state, torch.isin(inputs, asking)
            answers = output.logits[asked.to(device)].argmax(-1).cpu()
            questions, correct = questions + int(asked.sum()), correct + int((answers == targets[asked]).sum())
            if heard:
                heard(inputs.numel())
    return Tally(questions, correct, sum(example.chance for example in examples) / len(examples))


# ------------------------------------------------------------------------------------------------------------- the measure


class Point(NamedTuple):
    """One place of a sweep: texts of this ``size``, with further coordinates (``depth``)."""

    size: int
    texts: int
    place: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class TaskMeasure(Measure):
    """Accuracy of a memory task along a sweep of sizes, within and beyond those that were trained.

    Greedy, on contexts that no training text has. Each point has a Wilson 95 % interval (as if questions were independent:
    those of one text are not) and the accuracy of guessing: always the commonest of what may be meant. ``questions``: at
    least so many a point.
    """

    abstract: ClassVar[bool] = True
    task: ClassVar[type[Task]]
    sizes: ClassVar[tuple[int, ...]]

    questions: int = number(256, 8, 1_000_000)
    seed: int = number(0, 0)

    def posed(self, subject: Subject) -> Task:
        """The task that is asked: the one ``subject`` was trained on if it is of this kind, else its default."""
        return subject.corpus if isinstance(subject.corpus, self.task) else self.task()

    def points(self, task: Task) -> list[Point]:
        """The sweep."""
        return [Point(size, self.questions, {}) for size in self.sizes]

    def examples(self, task: Task, point: Point) -> Iterable[Example]:
        return task.examples(point.size, point.texts, self.seed)

    def refusal(self, subject: Subject) -> str | None:
        """A task can be asked of whatever can be written to the model."""
        task = self.posed(subject)
        text = next(iter(self.examples(task, self.points(task)[0]))).text
        try:
            written(subject.tokenizer, text)
        except ValueError as error:
            return f"{error}, so the text of {type(task).__name__} cannot be written to this model"
        return None

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        task = self.posed(subject)
        trained = isinstance(subject.corpus, self.task)
        points = self.points(task)
        total, done, rows = sum(point.texts * point.size for point in points), 0, []
        low, high = task.sizes
        for point in points:
            tally = ask(subject.model, subject.tokenizer, list(self.examples(task, point)), task.marks)
            below, above = wilson(tally.correct, tally.questions)
            rows.append(
                {
                    "size": point.size,
                    **point.place,
                    "questions": tally.questions,
                    "correct": tally.correct,
                    "accuracy": tally.correct / tally.questions,
                    "low": below,
                    "high": above,
                    "chance": tally.chance,
                    "beyond_training": trained and not low <= point.size <= high,
                }
            )
            done += point.texts * point.size
            progress(done / total)
        return {
            "task": task.to_dict(),
            "size_name": task.size_name,
            "trained": trained,
            "trained_sizes": [low, high] if trained else None,
            "points": rows,
            "verdict": verdict(rows, task.size_name, trained),
        }

    def table(self, figures: dict[str, Any]) -> Table:
        extra = [key for key in figures["points"][0] if key == "depth"]
        columns = (figures["size_name"], *extra, "accuracy", "95 %", "chance", "questions", "trained")
        rows = tuple(
            (
                f"{row['size']:,}",
                *(f"{row[key]:g}" for key in extra),
                f"{row['accuracy']:.1%}",
                f"{row['low']:.1%} - {row['high']:.1%}",
                f"{row['chance']:.1%}",
                f"{row['questions']:,}",
                "no" if not figures["trained"] else "beyond" if row["beyond_training"] else "yes",
            )
            for row in figures["points"]
        )
        return Table(columns, rows, figures["verdict"])


def verdict(rows: list[dict[str, Any]], size_name: str, trained: bool) -> str:
    """Where a model solves a task and where it fails, in a sentence. A size is solved when every point of it has an accuracy
    of 90 % or more, and at chance when no point's interval is above guessing."""
    sizes = sorted({row["size"] for row in rows})
    of = {size: [row for row in rows if row["size"] == size] for size in sizes}
    solved = [size for size in sizes if all(row["accuracy"] >= SOLVED for row in of[size])]
    lost = [size for size in sizes if all(row["low"] <= row["chance"] for row in of[size])]
    upto = next((size for size in reversed(sizes) if all(s in solved for s in sizes if s <= size)), None)
    fails = next((size for size in sizes if all(s in lost for s in sizes if s >= size)), None)
    words = [f"solved up to {size_name} {upto:,}" if upto else f"not solved at any {size_name} of the sweep"]
    if upto == sizes[-1]:
        words[0] += ", the largest asked"
    words.append(
        f"at chance from {size_name} {fails:,}" if fails else f"above chance still at {size_name} {sizes[-1]:,}"
    )
    said = ", ".join(words)
    return said if trained else f"untrained on this task: at chance is expected; {said}"
