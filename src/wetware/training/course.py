"""Course: what a run reads, step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from torch import Tensor

from wetware.data import Packed, Rule, Stream
from wetware.training.losses import Score
from wetware.training.reporting import PhaseReport

# (held-out text, chunk, what counts in it, about how many tokens) -> its score
Examine = Callable[[Packed, int, Rule | None, int], Score]


class Moment(NamedTuple):
    """How far a run has come: steps, tokens, seconds in steps."""

    step: int
    tokens: int
    seconds: float


class Lesson(NamedTuple):
    """What one step reads.

    inputs, targets: int64 [B, T]. fresh: other documents begin, so what was carried is dropped. counted: bool [B, T], the
    targets that the loss is made of; None: all.
    """

    inputs: Tensor
    targets: Tensor
    fresh: bool
    counted: Tensor | None


class Course:
    """What a run reads. Where it stands is a function of the step and of what :meth:`to_dict` gives."""

    @property
    def where(self) -> str:
        """What a progress line says of it, if there is anything to say."""
        return ""

    def lesson(self, step: int) -> Lesson:
        """What the step after ``step`` steps reads."""
        raise NotImplementedError

    def factor(self, scheduled: float, moment: Moment) -> float:
        """The factor on every learning rate, where the schedule says ``scheduled``."""
        return scheduled

    def begin(self, moment: Moment, examine: Examine) -> list[PhaseReport]:
        """Before the first step of a run, or of what is left of it: what begins."""
        return []

    def after(self, moment: Moment, examine: Examine) -> list[PhaseReport]:
        """After a step: decide what is read next. Gives what ended and what begins."""
        return []

    def reading_ahead(self) -> AbstractContextManager[Any]:
        """While this is held, text that is packed while it is read is made ready in the background."""
        raise NotImplementedError

    def to_dict(self, step: int) -> dict[str, Any]:
        """Where it stands after ``step`` steps, as plain data."""
        raise NotImplementedError

    def load(self, about: dict[str, Any], step: int) -> bool:
        """Go on where :meth:`to_dict` was asked. Gives whether the text is still the same."""
        raise NotImplementedError


class OneText(Course):
    """One text from its first step to its last, in chunks of one length."""

    def __init__(self, packed: Packed, batch: int, chunk: int, seed: int, rule: Rule | None) -> None:
        self.packed, self.stream = packed, Stream(packed, batch, chunk, seed, rule)

    def lesson(self, step: int) -> Lesson:
        inputs, targets, fresh, _, counted = self.stream.at(step)
        return Lesson(inputs, targets, fresh, counted)

    def reading_ahead(self) -> AbstractContextManager[Any]:
        return self.packed.reading_ahead()

    def to_dict(self, step: int) -> dict[str, Any]:
        return {"text": self.packed.key, "place": self.packed.place(step // self.stream.steps_per_epoch)}

    def load(self, about: dict[str, Any], step: int) -> bool:
        if about["text"] != self.packed.key:
            return False
        self.packed.go_on(step // self.stream.steps_per_epoch, about.get("place"))
        return True
