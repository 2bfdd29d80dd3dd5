"""Variable binding: assignments, re-bindings and distractors, then the present value of variables is asked."""

from __future__ import annotations

import dataclasses
import string
from random import Random
from typing import ClassVar

from wetware.config import number
from wetware.data.tasks.task import DIGITS, Example, Task

VARIABLES, OTHERS, ASKED = string.ascii_lowercase[:16], string.ascii_lowercase[16:], string.ascii_uppercase[:16]
MOST = len(VARIABLES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariableBinding(Task):
    """``a3q5b7ca a4?C3A4``, without the space: assignments of a digit or of another variable's present value (``ca`` is
    ``c := a``), then ``queries`` questions, each about any variable: in capitals it asks for its value. What was assigned
    last is what counts.

    From ``fewest`` to ``variables`` different variables are bound. For each there are ``rebound`` further
    assignments to one of them and ``distractors`` assignments to letters from q on, which are never asked. A share
    ``chained`` of the assignments takes over the value of a variable bound before.
    """

    marks: ClassVar[str] = ASKED
    size_name: ClassVar[str] = "variables"
    size_fields: ClassVar[tuple[str, str]] = ("fewest", "variables")

    fewest: int = number(2, 1, MOST)
    variables: int = number(8, 1, MOST)
    queries: int = number(8, 1, MOST)
    rebound: float = number(0.5, 0.0, 8.0)
    distractors: float = number(0.5, 0.0, 8.0)
    chained: float = number(0.2, 0.0, 1.0)
    values: int = number(10, 2, len(DIGITS))

    def example(self, size: int, dice: Random) -> Example:
        names = dice.sample(VARIABLES, size)
        again = dice.choices(names, k=round(size * self.rebound))
        targets = [*names, *again, *dice.choices(OTHERS, k=round(size * self.distractors))]
        dice.shuffle(targets)
        bound: dict[str, str] = {}
        written = []
        for name in targets:
            known = sorted(bound.keys() - {name})
            source = dice.choice(known) if known and dice.random() < self.chained else None
            right = source or dice.choice(DIGITS[: self.values])
            bound[name] = bound[source] if source else right
            written.append(name + right)
        asked = dice.choices(names, k=self.queries)
        questions = "?" + "".join(name.upper() + bound[name] for name in asked)
        return Example("".join(written), questions, ("".join(bound[name] for name in names),) * len(asked))
