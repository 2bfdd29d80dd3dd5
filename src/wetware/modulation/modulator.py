"""What every modulator is: a map on neuron parameters."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from torch import nn

from wetware.config import Config
from wetware.modulation.inference import SurpriseStress
from wetware.modulation.signals import Signals
from wetware.modulation.stress import StressSource
from wetware.modulation.trackers import SignalTracker

P = TypeVar("P", bound=Any)  # a NamedTuple of neuron parameters: this room does not know which neurons there are


@dataclass(frozen=True, kw_only=True)
class ModulatorConfig(Config):
    """A slot for a modulator. A model folds a tuple of them over the parameters of each layer."""

    abstract: ClassVar[bool] = True

    def build(self, *, size: int) -> Modulator:
        raise NotImplementedError

    def stress_source(self) -> StressSource | None:
        """Where the stress that this modulator reads comes from during training, if it reads any."""
        return None

    def surprise(self) -> SurpriseStress | None:
        """How stress follows the text that is read in use, if it does."""
        return None


class Modulator(nn.Module):
    """``forward(params, signals) -> params``: changes parameters (a NamedTuple of [N] tensors), adds no state. Where a signal
    is each sequence's own, [B], the gain may become [B, N]. remembers: whether it keeps the last signals of training."""

    remembers: bool = False

    def remember(self, signals: Signals) -> None:
        """Keep ``signals``, which training tells at its next step, in a buffer: called between steps, if it ``remembers``."""

    @abstractmethod
    def forward(self, params: P, signals: Signals) -> P:
        """The modulated parameters."""


def stress_tracker(modulators: Iterable[ModulatorConfig]) -> dict[str, SignalTracker]:
    """The tracker of the stress that ``modulators`` read, under its name; none, when they read none."""
    source = next((source for each in modulators if (source := each.stress_source())), None)
    return {} if source is None else {"stress": source.build()}
