"""What a spike does to its own membrane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wetware.config import Config, number


@dataclass(frozen=True, kw_only=True)
class Reset(Config):
    """Reset by subtraction: ``v = pre - threshold * s``, so that the overshoot is kept; then, with a ``bound``, the soft
    clamp ``bound * tanh(v / bound)``, which a membrane driven far beyond its threshold needs to stay finite."""

    abstract: ClassVar[bool] = True
    through: ClassVar[float]

    bound: float | None = number(None, 0.0, open_ends=True)


@dataclass(frozen=True, kw_only=True)
class DetachedReset(Reset):
    """No gradient through the spike of the reset: the membrane's Jacobian is its decay, always contracting.
    The threshold still gets the gradient of the amount it subtracts."""

    through: ClassVar[float] = 0.0


@dataclass(frozen=True, kw_only=True)
class AttachedReset(Reset):
    """The full gradient through the reset; at thresholds above 1 with :class:`FastSigmoid` it can grow at each step."""

    through: ClassVar[float] = 1.0
