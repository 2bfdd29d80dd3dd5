"""Neuromodulators: global signals that turn a gain at one site of every block, each by how much the block has learned.

By analogy with the modulators of the brain stem and the midbrain, which reach everywhere and tell one thing. What a model
gains by one must be held against its controls: a constant, and the same values told at the wrong time.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from wetware.config import Config, number
from wetware.modulation.trackers import RunningMean, ShuffledTracker, SignalTracker
from wetware.parameters import NEURON, filled, parameter


@dataclass(frozen=True, kw_only=True)
class SignalSource(Config):
    """A slot for where a neuromodulator's signal comes from in training."""

    abstract: ClassVar[bool] = True

    def build(self, listener: Callable[[float, int], LossListener]) -> SignalTracker:
        """``listener``: the neuromodulator's own, made of a memory and a warm-up."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FromLoss(SignalSource):
    """The neuromodulator's own signal, from the loss of each step (:class:`LossListener`). memory: time constant, in steps, of
    what is expected and what is usual. warmup: how many losses are heard before anything but 0 is told."""

    memory: float = number(100.0, 1.0, 1e6, open_ends=True)
    warmup: int = number(10, 2)

    def build(self, listener: Callable[[float, int], LossListener]) -> SignalTracker:
        return listener(self.memory, self.warmup)


@dataclass(frozen=True, kw_only=True)
class ShuffledSignal(FromLoss):
    """Control: the values of :class:`FromLoss`, told at the wrong time. Each step's is drawn, by ``seed``, from those so far.
    What this gains, the signal's meaning did not."""

    seed: int = number(0, 0)

    def build(self, listener: Callable[[float, int], LossListener]) -> SignalTracker:
        return ShuffledTracker(listener(self.memory, self.warmup), self.seed)


@dataclass(frozen=True, kw_only=True)
class ConstantSignal(SignalSource):
    """Control: a signal that says nothing about the loss. Of 0 nothing is ever learned: the gain stays 1."""

    value: float = number(0.0, -1.0, 1.0)

    def build(self, listener: Callable[[float, int], LossListener]) -> SignalTracker:
        return SignalTracker(self.value)


class LossListener(SignalTracker):
    """Expects of each loss the mean of those before it, and tells what it makes of its error::

        error = loss - mean,  deviation = sqrt(mean of error^2)       this loss not among those of the means
        signal = told(error, deviation) - mean of all that was told    this telling among them

    with means over the last ``memory`` steps. 0 until ``warmup`` losses were heard. The last mean is what is usual: without it
    a signal that leans to one side lets a sensitivity learn a constant gain, which is gone in use, where signals are neutral
    (queries that were 1.2 times as long in training as in use, before it was there); and it makes the first telling 0.
    """

    def __init__(self, memory: float, warmup: int) -> None:
        super().__init__(0.0)
        self._warmup = warmup
        self.heard = 0
        self._means = {"mean": RunningMean(memory), "square": RunningMean(memory), "usual": RunningMean(memory)}

    @abstractmethod
    def told(self, error: float, deviation: float) -> float:
        """What to make of the error of the last loss, by the deviation of those before it, which is above 0."""

    def update(self, loss: float) -> None:
        if not math.isfinite(loss):
            return
        mean, square = self._means["mean"], self._means["square"]
        error, deviation = loss - mean.value, math.sqrt(square.value)
        if self.heard:  # of the first loss nothing was expected
            self.hear(error)
        mean.add(loss)
        if self.heard >= self._warmup:
            told, usual = self.told(error, deviation) if deviation > 0 else 0.0, self._means["usual"]
            usual.add(told)
            self.value = told - usual.value
        self.heard += 1

    def hear(self, error: float) -> None:
        """Remember how far the last loss was from what was expected."""
        self._means["square"].add(error**2)

    def to_dict(self) -> dict[str, Any]:
        means = {name: mean.to_list() for name, mean in self._means.items()}
        return {"value": self.value, "heard": self.heard, **means}

    def load(self, values: dict[str, Any]) -> None:
        self.value, self.heard = values["value"], values["heard"]
        for name, mean in self._means.items():
            mean.load(values[name])


class RewardPredictionError(LossListener):
    """``tanh(-error / deviation)``: a loss below what was expected is a reward (Schultz, Dayan and Montague, 1997)."""

    def told(self, error: float, deviation: float) -> float:
        return -math.tanh(error / deviation)


class ExpectedUncertainty(LossListener):
    """``2 r / (r + s) - 1``, r the deviation over the last ``recent`` errors and s that over all of ``memory``: how unsure
    predictions lately are, beside how unsure they usually are (after Yu and Dayan, 2005)."""

    def __init__(self, memory: float, warmup: int, recent: float) -> None:
        super().__init__(memory, warmup)
        self._means["recent"] = RunningMean(recent)

    def hear(self, error: float) -> None:
        super().hear(error)
        self._means["recent"].add(error**2)

    def told(self, error: float, deviation: float) -> float:
        recent, usual = (math.sqrt(self._means[name].value) for name in ("recent", "square"))
        return (recent - usual) / (recent + usual) if recent + usual > 0 else 0.0


class UnexpectedUncertainty(LossListener):
    """``tanh(max(0, |error| / deviation - 1))``: what happened was not to be expected, be it good or bad (after Yu and Dayan,
    2005)."""

    def told(self, error: float, deviation: float) -> float:
        return math.tanh(max(0.0, abs(error) / deviation - 1.0))


@dataclass(frozen=True, kw_only=True)
class Neuromodulator(Config):
    """A slot for a neuromodulator: a gain on what passes its site in every block::

        gain = exp(sensitivity * signal)

    The sensitivity is learned, one for each layer, and 0 at first: neutral. The signal is named like the kind of the config, is
    the same for all layers and given with the tokens (:class:`Signals`), in training as in use; at the neutral signal 0, which
    is what use gives unless told otherwise, the gain is 1 exactly. source: where the signal comes from in training.
    """

    abstract: ClassVar[bool] = True
    neutral: ClassVar[bool] = True

    source: SignalSource = FromLoss()

    def build(self) -> Gain:
        return Gain()

    def tracker(self) -> SignalTracker:
        """What hears the losses of a training run and keeps the signal."""
        return self.source.build(self.listener)

    def listener(self, memory: float, warmup: int) -> LossListener:
        """The signal's own definition, before anything is heard."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Dopamine(Neuromodulator):
    """Gates what attention writes into the residual stream: dopamine lets new content into working memory (Braver and Cohen,
    2000). Signal: the error of reward prediction, reward being a low loss (:class:`RewardPredictionError`)."""

    def listener(self, memory: float, warmup: int) -> LossListener:
        return RewardPredictionError(memory, warmup)


@dataclass(frozen=True, kw_only=True)
class Acetylcholine(Neuromodulator):
    """Sharpens or blurs attention: multiplies the queries, and so the scores (Yu and Dayan, 2005: it shifts the weight between
    what is expected and what is seen). Signal: expected uncertainty (:class:`ExpectedUncertainty`). recent: time constant, in
    steps, of what counts as lately."""

    recent: float = number(10.0, 1.0, 1e6, open_ends=True)

    def listener(self, memory: float, warmup: int) -> LossListener:
        return ExpectedUncertainty(memory, warmup, self.recent)


@dataclass(frozen=True, kw_only=True)
class Noradrenaline(Neuromodulator):
    """A gain on the input of the MLP, whose square makes it count twice: noradrenaline raises the gain of neurons (Aston-Jones
    and Cohen, 2005). Signal: unexpected uncertainty (:class:`UnexpectedUncertainty`)."""

    def listener(self, memory: float, warmup: int) -> LossListener:
        return UnexpectedUncertainty(memory, warmup)


class Gain(nn.Module):
    """``exp(sensitivity * signal)``, a number: see :class:`Neuromodulator`."""

    def __init__(self) -> None:
        super().__init__()
        self.sensitivity = parameter(1, draw=filled(0.0), role=NEURON)

    def forward(self, signal: float) -> Tensor:
        return (self.sensitivity[0] * signal).exp()  # a scalar, so that it widens no bfloat16 that it multiplies
