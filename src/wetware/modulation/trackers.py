"""Trackers: what keeps a signal's value up to date in training, by hearing the loss of each step.

They live with the trainer, and a checkpoint keeps them; a model only ever sees the numbers, as :class:`Signals`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from wetware.modulation.signals import NEUTRAL, Signals

SHUFFLED = 4096  # values that ShuffledTracker chooses from


class SignalTracker:
    """Keeps ``value``, the signal of the next step; this base keeps it constant."""

    def __init__(self, value: float) -> None:
        self.value = value

    def update(self, loss: float) -> None:
        """Hear the loss (nats per token) of the step just done. A loss that is not finite is not heard."""

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: plain numbers."""
        return dict(vars(self))

    def load(self, values: dict[str, Any]) -> None:
        """Go on from what :meth:`to_dict` gave. Raises KeyError where it lacks something."""
        vars(self).update(values)


class ShuffledTracker(SignalTracker):
    """The control of ``honest``: its values, told at the wrong time. Each step's is drawn, by ``seed``, from those that the
    loss has given so far (a sample of them, in a long run)."""

    def __init__(self, honest: SignalTracker, seed: int) -> None:
        super().__init__(honest.value)
        self._seed, self._honest = seed, honest
        self.past: list[float] = []
        self.heard = 0

    def to_dict(self) -> dict[str, Any]:
        honest = {"honest": self._honest.to_dict(), "past": list(self.past)}
        return {"value": self.value, "heard": self.heard, **honest}

    def load(self, values: dict[str, Any]) -> None:
        self._honest.load(values["honest"])
        self.value, self.heard, self.past = values["value"], values["heard"], list(values["past"])

    def update(self, loss: float) -> None:
        if not math.isfinite(loss):
            return
        self._honest.update(loss)
        # Keyed by the step, so that nothing but plain numbers has to be kept for an exact resume.
        dice = random.Random(f"{self._seed} {self.heard}")
        self.heard += 1
        if len(self.past) < SHUFFLED:
            self.past.append(self._honest.value)
        elif (place := dice.randrange(self.heard)) < SHUFFLED:  # reservoir sampling (Vitter, 1985)
            self.past[place] = self._honest.value
        self.value = dice.choice(self.past)


class RunningMean:
    """``sum_i w^(n-i) x_i / sum_i w^(n-i)`` with ``w = 1 - 1 / memory``: unbiased from the first number on, where an average
    that starts at zero, or at the first number, would take a while to forget that. memory: in numbers, above 1."""

    def __init__(self, memory: float) -> None:
        self._keep = 1.0 - 1.0 / memory
        self.value = self.weight = 0.0

    def add(self, number: float) -> None:
        self.weight = self._keep * self.weight + 1.0
        self.value += (number - self.value) / self.weight

    def to_list(self) -> list[float]:
        return [self.value, self.weight]

    def load(self, values: list[float]) -> None:
        self.value, self.weight = values


def signals_of(trackers: Mapping[str, SignalTracker]) -> Signals:
    """The signals of the next step; neutral, where nothing tracks one."""
    return NEUTRAL._replace(**{name: tracker.value for name, tracker in trackers.items()})
