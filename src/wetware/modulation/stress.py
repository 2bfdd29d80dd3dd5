"""Stress: one scalar for the whole network, made from the training loss.

An analogy to cortisol: a loss above its own recent past, or still far from the best seen, is alarm. The source lives with
the trainer; the model only ever sees the number, as a signal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from wetware.config import Config, number
from wetware.modulation.signals import NEUTRAL_STRESS
from wetware.modulation.trackers import ShuffledTracker, SignalTracker


@dataclass(frozen=True, kw_only=True)
class StressSource(Config):
    """Where stress comes from. ``build()`` gives an object with ``value``, ``update(loss)``, ``to_dict``, ``load``."""

    abstract: ClassVar[bool] = True

    def build(self) -> SignalTracker:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ConstantStress(StressSource):
    """The control: stress that says nothing about the loss."""

    value: float = number(0.5, 0.0, 1.0)

    def build(self) -> SignalTracker:
        return SignalTracker(self.value)


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

    def build(self) -> SignalTracker:
        return LossStressTracker(self)


@dataclass(frozen=True, kw_only=True)
class ShuffledStress(StressSource):
    """The other control: the values of :class:`LossStress`, told at the wrong time. Each step's stress is drawn, by ``seed``,
    from those that the loss has given so far (a sample of them, in a long run). What this gains, the signal's meaning did not.
    """

    stress: LossStress = LossStress()
    seed: int = number(0, 0)

    def build(self) -> SignalTracker:
        return ShuffledTracker(self.stress.build(), self.seed)


class LossStressTracker(SignalTracker):
    """See :class:`LossStress`."""

    def __init__(self, config: LossStress) -> None:
        super().__init__(NEUTRAL_STRESS)
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
        heard = averaged(self.fast, self.slow, self.variance, loss, config.fast, config.slow)
        self.fast, self.slow, self.variance = heard
        self.lowest = min(self.lowest, self.fast)
        deviation, span = math.sqrt(self.variance), self.first - self.lowest
        trend = _clip(0.5 + (self.fast - self.slow) / (2.0 * deviation)) if deviation > 0 else 0.5
        level = _clip((self.slow - self.lowest) / span) if span > 0 else 1.0
        self.value = config.trend_share * trend + (1.0 - config.trend_share) * level


def averaged(fast: Any, slow: Any, variance: Any, loss: Any, fast_factor: float, slow_factor: float) -> tuple:
    """``(fast, slow, variance)`` after a loss: two exponential averages, and that of the squared distance from the slow one."""
    fast = fast + (1.0 - fast_factor) * (loss - fast)
    slow = slow + (1.0 - slow_factor) * (loss - slow)
    return fast, slow, variance + (1.0 - slow_factor) * ((loss - slow) ** 2 - variance)


def _clip(x: float) -> float:
    return min(1.0, max(0.0, x))
