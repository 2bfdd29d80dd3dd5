"""Variable binding by the number of variables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from wetware.data.tasks import Example, Task, VariableBinding
from wetware.evaluation.tasks import Point, TaskMeasure


@dataclass(frozen=True, kw_only=True)
class VariableBindingAccuracy(TaskMeasure):
    """One question a text, so that questions are independent."""

    title: ClassVar[str] = "Variable binding: the present value of one of N variables"
    task: ClassVar[type[Task]] = VariableBinding
    sizes: ClassVar[tuple[int, ...]] = (2, 4, 8, 16)

    def examples(self, task: Any, point: Point) -> Iterable[Example]:
        return super().examples(replace(task, queries=1), point)
