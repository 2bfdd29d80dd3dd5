"""Stress: one scalar for the whole network, made from the training loss.

An analogy to cortisol: a loss above its own recent past, or still far from the best seen, is alarm. The source lives with
the trainer; the model only ever sees the number, as a signal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from wetware.config import Config, number


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


class StressTracker:
    """Keeps ``value``, the stress of the next step; this base keeps it constant."""

    def __init__(self, value: float = 0.5) -> None:
        self.value = value

    def update(self, loss: float) -> None:
        """Hear the loss (nats per token) of the step just done."""

    def to_dict(self) -> dict[str, float | None]:
        return dict(vars(self))

    def load(self, values: dict[str, float | None]) -> None:
        vars(self).update(values)


class LossStressTracker(StressTracker):
    """See :class:`LossStress`."""

    def __init__(self, config: LossStress) -> None:
        super().__init__()
        self._config = config
        self.first: float | None = None  # the first loss; nothing has been heard yet
        self.fast = self.slow = self.lowest = self.variance = 0.0

    def to_dict(self) -> dict[str, float | None]:
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


def _clip(x: float) -> float:
    return min(1.0, max(0.0, x))
