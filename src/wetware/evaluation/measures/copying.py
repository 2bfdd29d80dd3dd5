"""Copying by the length of the string."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wetware.data.tasks import Copying, Task
from wetware.evaluation.tasks import Point, TaskMeasure


@dataclass(frozen=True, kw_only=True)
class CopyingAccuracy(TaskMeasure):
    """Every character of a string is a question, read after those before it."""

    title: ClassVar[str] = "Copying: a string of N characters after a gap"
    task: ClassVar[type[Task]] = Copying
    sizes: ClassVar[tuple[int, ...]] = (2, 4, 8, 16, 32, 64)

    def points(self, task: Task) -> list[Point]:
        return [Point(size, max(32, self.questions // size), {}) for size in self.sizes]
