"""Associative recall by the number of pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from wetware.data.tasks import AssociativeRecall, Example, Task
from wetware.evaluation.tasks import Point, TaskMeasure


@dataclass(frozen=True, kw_only=True)
class AssociativeRecallAccuracy(TaskMeasure):
    """One question a text, so that questions are independent; up to as many pairs as there are keys."""

    title: ClassVar[str] = "Associative recall: the value of one of N keys"
    task: ClassVar[type[Task]] = AssociativeRecall
    sizes: ClassVar[tuple[int, ...]] = (2, 4, 8, 16, 24)

    def points(self, task: Any) -> list[Point]:
        return [point for point in super().points(task) if point.size <= task.keys]

    def examples(self, task: Any, point: Point) -> Iterable[Example]:
        return super().examples(replace(task, queries=1), point)
