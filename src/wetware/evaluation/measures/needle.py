"""Needle by the length of the filler and the depth it stands at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from wetware.config import number
from wetware.data.tasks import Example, Needle, Task
from wetware.evaluation.tasks import Point, TaskMeasure

DEPTHS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class NeedleAccuracy(TaskMeasure):
    """A needle near the start, in the middle and near the end of texts of up to ``longest`` characters.

    The state is carried in chunks, so a spiking model needs no more memory for the longest than for the shortest.
    ``questions`` a point below 1,024 characters; above, an eighth as many, since that is where the time goes.
    """

    title: ClassVar[str] = "Needle: a value seen once, by length and depth"
    task: ClassVar[type[Task]] = Needle
    sizes: ClassVar[tuple[int, ...]] = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)

    longest: int = number(8192, 32, 2**20)

    def points(self, task: Task) -> list[Point]:
        counts = {size: self.questions if size < 1024 else max(8, self.questions // 8) for size in self.sizes}
        fitting = [size for size in self.sizes if size <= self.longest]
        return [Point(size, counts[size], {"depth": depth}) for size in fitting for depth in DEPTHS]

    def examples(self, task: Any, point: Point) -> Iterable[Example]:
        # At a given depth no training text is kept out, and none need be: an equal filler will not come twice.
        dice = Random(f"needle {self.seed} {point.size} {point.place['depth']}")
        for _ in range(point.texts):
            yield task.at_depth(point.size, point.place["depth"], dice)
