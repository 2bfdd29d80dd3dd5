"""Needle: a key and its value somewhere in filler, asked for at the end."""

from __future__ import annotations

import dataclasses
import string
from random import Random
from typing import ClassVar

from wetware.config import ConfigError, number
from wetware.data.tasks.task import DIGITS, MARK, Example, Task

FILLER = string.ascii_lowercase + " "
KEYS = string.ascii_uppercase
SHORTEST = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needle(Task):
    """``hqe K7wl pzt?K=7``: a capital and a digit at a random depth of filler, then the digit of the capital is asked.

    A text has from ``shortest`` to ``longest`` characters before its question. Of ``needles`` needles with different
    capitals one is asked; with one, what has to be kept is a single digit, however long the text: a question of time, not
    of room. ``values``: how many digits there are. After the needle in a haystack (Kamradt, 2023).
    """

    size_name: ClassVar[str] = "length"
    size_fields: ClassVar[tuple[str, str]] = ("shortest", "longest")

    shortest: int = number(32, SHORTEST, 2**20)
    longest: int = number(256, SHORTEST, 2**20)
    needles: int = number(1, 1, len(KEYS))
    values: int = number(10, 2, len(DIGITS))

    def check(self) -> None:
        super().check()
        if self.needles > self.shortest // 4:
            raise ConfigError(f"Needle: needles = {self.needles} exceeds a quarter of shortest = {self.shortest}")

    def example(self, size: int, dice: Random) -> Example:
        return self.at_depth(size, None, dice)

    def at_depth(self, size: int, depth: float | None, dice: Random) -> Example:
        """One example whose asked needle stands at ``depth`` of the filler, 0 its start and 1 its end; None: anywhere."""
        filler = "".join(dice.choices(FILLER, k=size - 2 * self.needles))
        keys, values = dice.sample(KEYS, self.needles), dice.choices(DIGITS[: self.values], k=self.needles)
        places = [dice.randint(0, len(filler)) for _ in keys]
        if depth is not None:
            places[0] = round(depth * len(filler))
        pieces, done = [], 0
        for place, key, value in sorted(zip(places, keys, values, strict=True)):
            pieces += [filler[done:place], key + value]
            done = place
        context = "".join([*pieces, filler[done:]])
        # With one needle the value shown is the answer: what is left to guess among is all there are.
        candidates = "".join(values) if self.needles > 1 else DIGITS[: self.values]
        return Example(context, f"?{keys[0]}{MARK}{values[0]}", (candidates,))
