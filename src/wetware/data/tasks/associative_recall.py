"""Associative recall: pairs of keys and values, then the value of each key is asked."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import ClassVar

from wetware.config import ConfigError, number
from wetware.data.tasks.task import DIGITS, MARK, NAMES, Example, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class AssociativeRecall(Task):
    """``k3d7a1?d=7k=3``: pairs of a key and a value, then as many questions as pairs, ``queries`` at most. Each asks any of the
    keys, also one asked before: if none came twice, the last answers could be told by those already given.

    A text has from ``fewest`` to ``pairs`` pairs; its keys are different ones of ``keys`` letters, its values any of
    ``values`` digits. After multi-query associative recall (Arora et al., Zoology, 2023), with values that may repeat.
    """

    size_name: ClassVar[str] = "pairs"
    size_fields: ClassVar[tuple[str, str]] = ("fewest", "pairs")

    fewest: int = number(2, 1, len(NAMES))
    pairs: int = number(8, 1, len(NAMES))
    queries: int = number(8, 1, len(NAMES))
    keys: int = number(32, 1, len(NAMES))
    values: int = number(10, 2, len(DIGITS))

    def check(self) -> None:
        super().check()
        if self.pairs > self.keys:
            raise ConfigError(f"AssociativeRecall: pairs = {self.pairs} need as many different keys = {self.keys}")

    def example(self, size: int, dice: Random) -> Example:
        keys = dice.sample(NAMES[: self.keys], size)
        values = dice.choices(DIGITS[: self.values], k=size)
        asked = dice.choices(range(size), k=min(self.queries, size))
        context = "".join(key + value for key, value in zip(keys, values, strict=True))
        questions = "?" + "".join(keys[index] + MARK + values[index] for index in asked)
        return Example(context, questions, ("".join(values),) * len(asked))
