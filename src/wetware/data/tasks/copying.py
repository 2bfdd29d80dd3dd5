"""Copying: a random string, a gap, then the string is asked back."""

from __future__ import annotations

import dataclasses
from random import Random
from typing import ClassVar

from wetware.config import number
from wetware.data.tasks.task import MARK, NAMES, Example, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copying(Task):
    """``xqz....?=x=q=z``: from ``shortest`` to ``longest`` characters out of ``symbols`` letters, ``gap`` dots, then each
    character is asked in order (Hochreiter and Schmidhuber, 1997; Arjovsky et al., 2016)."""

    size_name: ClassVar[str] = "length"
    size_fields: ClassVar[tuple[str, str]] = ("shortest", "longest")

    shortest: int = number(2, 1, 4096)
    longest: int = number(16, 1, 4096)
    symbols: int = number(8, 2, len(NAMES))
    gap: int = number(4, 0, 4096)

    def example(self, size: int, dice: Random) -> Example:
        string = "".join(dice.choices(NAMES[: self.symbols], k=size))
        questions = "?" + "".join(MARK + character for character in string)
        return Example(string + "." * self.gap, questions, (string,) * size)
