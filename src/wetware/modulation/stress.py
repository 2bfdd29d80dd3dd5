"""Stress: one scalar for the whole network, made from the training loss.

An analogy to cortisol: a loss above its own recent past, or still far from the best seen, is alarm. The source lives with
the trainer; the model only ever sees the number, as a signal.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, ClassVar

from wetware.config import Config, number

SHUFFLED = 4096  # stresses that ShuffledStress chooses from


@dataclass(frozen=True, kw_only=True)
class StressSource(Config):
    """Where stress comes from. ``build()`` gives an object with ``value``, ``update(loss)``, ``to_dict``, ``load``."""

    abstract: ClassVar[bool] = True

    def build(self) -> StressTracker:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ConstantStress(StressSource):
    """The control: stress that says nothing about the loss."""

    value: float = number(0.5, 0.0, 1.0)

    def build(self) -> StressTracker:
        return StressTracker(self.value)


@dataclass(frozen=True, kw_only=True)
class LossStress(StressSource):
    """Stress from the loss, half its trend and half its level::

        fast, slow = exponential averages of the loss (factors ``fast``, ``slow``); sd = deviation around slow
        trend = clip(1/2 + (fast - slow) / (2 sd), 0, 1)
        level = clip((slow - lowest fast) / (first loss - lowest fast), 0, 1)
        stress = ``trend_share`` * trend + (1 - trend_share) * level

    The averages start at the first loss. Real Sam describes stress as computed from the training loss and no more; this
    definition is ours.
    """

    fast: float = number(0.9, 0.0, 1.0, open_ends=True)
    slow: float = number(0.999, 0.0, 1.0, open_ends=True)
    trend_share: float = number(0.5, 0.0, 1.0)

    def build(self) -> StressTracker:
        return LossStressTracker(self)


@dataclass(frozen=True, kw_only=True)
class ShuffledStress(StressSource):
    """The other control: the values of :class:`LossStress`, told at the wrong time. Each step's stress is drawn, by ``seed``,
    from those that the loss has given so far (a sample of them, in a long run). What this gains, the signal's meaning did not.
    """

    stress: LossStress = LossStress()
    seed: int = number(0, 0)

    def build(self) -> StressTracker:
        return ShuffledStressTracker(self)


class StressTracker:
    """Keeps ``value``, the stress of the next step; this base keeps it constant."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value

    def update(self, loss: float) -> None:
        """Hear the loss (nats per token) of the step just done."""

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load(self, values: dict[str, Any]) -> None:
        vars(self).update(values)


class LossStressTracker(StressTracker):
    """See :class:`LossStress`."""

    def __init__(self, config: LossStress) -> None:
        super().__init__()
        self._config = config
        self.first: float | None = None  # the first loss; nothing has been heard yet
        self.fast = self.slow = self.lowest = self.variance = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def update(self, loss: float) -> None:
        if not math.isfinite(loss):
            return
        config = self._config
        if self.first is None:
            self.fast = self.slow = self.first = self.lowest = loss
        self.fast += (1.0 - config.fast) * (loss - self.fast)
        self.slow += (1.0 - config.slow) * (loss - self.slow)
        self.variance += (1.0 - config.slow) * ((loss - self.slow) ** 2 - self.variance)
        self.lowest = min(self.lowest, self.fast)
        deviation, span = math.sqrt(self.variance), self.first - self.lowest
        trend = _clip(0.5 + (self.fast - self.slow) / (2.0 * deviation)) if deviation > 0 else 0.5
        level = _clip((self.slow - self.lowest) / span) if span > 0 else 1.0
        self.value = config.trend_share * trend + (1.0 - config.trend_share) * level


class ShuffledStressTracker(StressTracker):
    """See :class:`ShuffledStress`."""

    def __init__(self, config: ShuffledStress) -> None:
        super().__init__()
        self._seed, self._honest = config.seed, config.stress.build()
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


def _clip(x: float) -> float:
    return min(1.0, max(0.0, x))
