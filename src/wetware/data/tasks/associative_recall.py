"""Associative recall: pairs of keys and values, then the value of each key is asked."""

from __future__ import annotations

import dataclasses
import string
from random import Random
from typing import ClassVar

from wetware.config import ConfigError, number
from wetware.data.tasks.task import DIGITS, Example, Task

KEYS, ASKED = string.ascii_lowercase, string.ascii_uppercase


@dataclasses.dataclass(frozen=True, kw_only=True)
class AssociativeRecall(Task):
    """``k3d7a1?D7K3D7``: pairs of a key and a value, then ``queries`` questions: a key in capitals asks for its value. Each
    asks any of the keys, also one asked before: if none came twice, the last answers could be told by those already given.

    A text has from ``fewest`` to ``pairs`` pairs; its keys are different ones of ``keys`` letters, its values any of
    ``values`` digits. After multi-query associative recall (Arora et al., Zoology, 2023), with values that may repeat.
    """

    marks: ClassVar[str] = ASKED
    size_name: ClassVar[str] = "pairs"
    size_fields: ClassVar[tuple[str, str]] = ("fewest", "pairs")

    fewest: int = number(2, 1, len(KEYS))
    pairs: int = number(8, 1, len(KEYS))
    queries: int = number(8, 1, len(KEYS))
    keys: int = number(26, 1, len(KEYS))
    values: int = number(10, 2, len(DIGITS))

    def check(self) -> None:
        super().check()
        if self.pairs > self.keys:
            raise ConfigError(f"AssociativeRecall: pairs = {self.pairs} need as many different keys = {self.keys}")

    def example(self, size: int, dice: Random) -> Example:
        keys = dice.sample(KEYS[: self.keys], size)
        values = dice.choices(DIGITS[: self.values], k=size)
        asked = dice.choices(range(size), k=self.queries)
        context = "".join(key + value for key, value in zip(keys, values, strict=True))
        questions = "?" + "".join(keys[index].upper() + values[index] for index in asked)
        return Example(context, questions, ("".join(values),) * len(asked))
