"""Task: what all memory tasks are, a seeded generator of texts in which some characters can only be remembered."""

from __future__ import annotations

import dataclasses
import hashlib
import string
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import ClassVar, NamedTuple

from wetware.config import ConfigError, number
from wetware.data.corpora import Corpus, Split, check_split
from wetware.data.files import DataError, digest

MARK = "="  # every character that follows it is an answer, and no other is, where keys do not ask for themselves
NAMES = string.ascii_lowercase + string.ascii_uppercase
DIGITS = string.digits
HELD_OUT = 0.1  # share of the possible contexts that training never sees
TRIES = 2000
FORMAT = 2  # raised when the same fields come to give other texts


class Example(NamedTuple):
    """context: what is to be remembered. questions: the rest, an answer after each ask mark. candidates: for each answer,
    all that may be meant, by someone who knows what was shown but not what belongs to what."""

    context: str
    questions: str
    candidates: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.context + self.questions

    @property
    def chance(self) -> float:
        """The share of answers that are right when it is always the commonest of the candidates that is said."""
        return sum(max(Counter(c).values()) / len(c) for c in self.candidates) / len(self.candidates)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task(Corpus):
    """Texts in which one character is one token (Bytes and Characters give that) and every answer directly follows one of the
    ``marks``, so that the rule "a target counts when its input is an ask mark" (``AfterMark``) needs no state.

    ``count`` texts are for training, ``held_out`` for validation. A hash of what is to be remembered decides which split
    it may appear in: no context is ever in both, whatever the seed. Sizes are drawn evenly in the logarithm, so that small
    ones, which are learned first, are common. The same fields give the same texts.
    """

    abstract: ClassVar[bool] = True
    marks: ClassVar[str] = MARK
    size_name: ClassVar[str]  # what the size of an example counts
    # The fields that hold the smallest and the largest size drawn in training.
    size_fields: ClassVar[tuple[str, str]]

    count: int = number(100_000, 1, 10_000_000)
    held_out: int = number(500, 1, 1_000_000)
    seed: int = number(0, 0)

    def check(self) -> None:
        smallest, largest = self.size_fields
        if self.sizes[0] > self.sizes[1]:
            name = type(self).__name__
            raise ConfigError(f"{name}: {smallest} = {self.sizes[0]} exceeds {largest} = {self.sizes[1]}")

    @property
    def sizes(self) -> tuple[int, int]:
        """The smallest and the largest size drawn in training."""
        smallest, largest = self.size_fields
        return getattr(self, smallest), getattr(self, largest)

    def example(self, size: int, dice: Random) -> Example:
        """One example of this size."""
        raise NotImplementedError

    def documents(self, split: Split) -> Iterator[str]:
        dice = Random(f"{self.seed} {check_split(split)}")
        low, high = self.sizes
        for _ in range(self.count if split == "train" else self.held_out):
            yield self._drawn(split, dice, low, high).text

    def examples(self, size: int, count: int, seed: int = 0) -> Iterator[Example]:
        """``count`` examples of one size, of contexts that no training text of this task has. Raises DataError where there
        are none."""
        dice = Random(f"examples {seed} {size}")
        for _ in range(count):
            yield self._drawn("validation", dice, size, size)

    def fingerprint(self) -> str:
        return digest([FORMAT, HELD_OUT, self.to_dict()])

    def _drawn(self, split: str, dice: Random, low: int, high: int) -> Example:
        for _ in range(TRIES):
            size = min(high, int(low * ((high + 1) / low) ** dice.random()))
            example = self.example(size, dice)
            if (_rank(example.context) < HELD_OUT) == (split == "validation"):
                return example
        raise DataError(
            f"{type(self).__name__} with {self.size_name} from {low} to {high} has too few different texts for two splits: "
            "allow more symbols or larger sizes"
        )


def _rank(context: str) -> float:
    """A number in [0, 1), drawn by a hash of the context."""
    return int.from_bytes(hashlib.blake2b(context.encode(), digest_size=6).digest(), "big") / 2**48
