"""Schedules: the learning rate along the run, and how long a run is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from wetware.config import Config, number


@dataclass(frozen=True, kw_only=True)
class Schedule(Config):
    """A slot for a schedule: a factor on every learning rate. The first ``warmup`` steps rise linearly."""

    abstract: ClassVar[bool] = True

    warmup: int = number(100, 0)

    def factor(self, step: int, progress: float) -> float:
        """``step`` counts from 0; ``progress`` is the done share of the run, from 0 to 1."""
        rising = min(1.0, (step + 1) / (self.warmup + 1))
        return rising * self.shape(min(1.0, progress))

    def shape(self, progress: float) -> float:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Falls along half a cosine from 1 to ``floor`` (Loshchilov and Hutter, 2017)."""

    floor: float = number(0.05, 0.0, 1.0)

    def shape(self, progress: float) -> float:
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


@dataclass(frozen=True, kw_only=True)
class Stable(Schedule):
    """Stays at 1 and falls linearly to ``floor`` over the last ``cooldown`` share of the run (warm-up, stable, decay)."""

    cooldown: float = number(0.3, 0.0, 1.0)
    floor: float = number(0.02, 0.0, 1.0)

    def shape(self, progress: float) -> float:
        if progress <= 1.0 - self.cooldown:
            return 1.0
        return self.floor + (1.0 - self.floor) * (1.0 - progress) / self.cooldown


@dataclass(frozen=True, kw_only=True)
class Limit(Config):
    """A slot for the length of a run."""

    abstract: ClassVar[bool] = True

    def progress(self, steps: int, tokens: int, seconds: float) -> float:
        """The done share; the run ends at 1."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Steps(Limit):
    """So many optimizer steps."""

    count: int = number(1000, 1)

    def progress(self, steps: int, tokens: int, seconds: float) -> float:
        return steps / self.count


@dataclass(frozen=True, kw_only=True)
class Tokens(Limit):
    """So many training tokens: what comparisons are made at."""

    count: int = number(10_000_000, 1)

    def progress(self, steps: int, tokens: int, seconds: float) -> float:
        return tokens / self.count


@dataclass(frozen=True, kw_only=True)
class Minutes(Limit):
    """So much time in training steps. The schedule follows the clock, so two such runs are not the same run."""

    count: float = number(5.0, 0.0, open_ends=True)

    def progress(self, steps: int, tokens: int, seconds: float) -> float:
        return seconds / (60.0 * self.count)
