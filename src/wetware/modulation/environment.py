"""Real Sam's environment: one stress for all neurons, each of which answers in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from wetware.config import Config, number
from wetware.modulation.inference import InferenceStress, NeutralStress, SurpriseStress
from wetware.modulation.modulator import Modulator, ModulatorConfig, P
from wetware.modulation.signals import NEUTRAL_STRESS, Signals
from wetware.modulation.stress import LossStress, StressSource
from wetware.parameters import constant, filled, log_normal


@dataclass(frozen=True, kw_only=True)
class LogNormalDiversity(Config):
    """A fixed sensitivity d for each neuron, LogNormal with mean 1: receptor density, by analogy. ``strength`` is what it
    does to the gain (see :class:`Environment`)."""

    neutral: ClassVar[bool] = True

    deviation: float = number(0.3, 0.0, 3.0)
    strength: float = number(0.5, -4.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Environment(ModulatorConfig):
    """Stress e changes the gain of every neuron, around the neutral stress e0 = 0.5::

        gain_i *= 1 + common * (e - e0) + strength * (e - e0) * (d_i - 1)

    Under stress the gains spread (sensitive neurons are driven harder, resilient ones less), in calm they draw together the
    other way. An analogy, not physiology. At neutral stress the gain is 1 exactly.

    stress: where it comes from in training. inference: what it is in use, where the loss is not known. Controls:
    ``stress=ConstantStress()``, ``stress=ShuffledStress()``, ``diversity=None`` (one gain for all), and no environment.
    """

    neutral: ClassVar[bool] = True

    stress: StressSource = LossStress()
    diversity: LogNormalDiversity | None = LogNormalDiversity()
    common: float = number(0.1, -2.0, 2.0)
    inference: InferenceStress = NeutralStress()

    def build(self, *, size: int) -> SharedEnvironment:
        return SharedEnvironment(self, size)

    def stress_source(self) -> StressSource:
        return self.stress

    def surprise(self) -> SurpriseStress | None:
        return self.inference if isinstance(self.inference, SurpriseStress) else None


class SharedEnvironment(Modulator):
    """See :class:`Environment`. resting: the last stress of training, where it is kept."""

    diversity: Tensor
    resting: Tensor

    def __init__(self, config: Environment, size: int) -> None:
        super().__init__()
        self.config, self.remembers = config, config.inference.keeps
        if config.diversity:
            self.register_buffer("diversity", constant(size, draw=log_normal(config.diversity.deviation)))
        if self.remembers:
            self.register_buffer("resting", constant(1, draw=filled(config.inference.start())))

    def remember(self, signals: Signals) -> None:
        if signals.stress is not None:
            self.resting.fill_(signals.stress)

    def forward(self, params: P, signals: Signals) -> P:
        stress: Any = signals.stress
        if stress is None:
            stress = self.resting if self.remembers else self.config.inference.start()
        elif isinstance(stress, Tensor) and stress.ndim:
            stress = stress[:, None]
        alarm = stress - NEUTRAL_STRESS
        factor = 1.0 + self.config.common * alarm
        if self.config.diversity:
            factor = factor + self.config.diversity.strength * alarm * (self.diversity - 1.0)
        return params._replace(gain=params.gain * factor)
