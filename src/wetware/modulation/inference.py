"""Stress in use: what the environment is at when nobody tells a stress, as in evaluation, generation and conversation.

In training stress comes from the loss, which use does not know. What stands in for it is a part of the model, and explicit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import Config, number
from wetware.modulation.signals import NEUTRAL_STRESS
from wetware.modulation.stress import averaged


@dataclass(frozen=True, kw_only=True)
class InferenceStress(Config):
    """A slot for the stress in use. keeps: whether the last stress of training is kept in the model for it."""

    abstract: ClassVar[bool] = True
    keeps: ClassVar[bool] = False

    def start(self) -> float:
        """The stress before training, and before a text."""
        return NEUTRAL_STRESS


@dataclass(frozen=True, kw_only=True)
class NeutralStress(InferenceStress):
    """1/2: every gain is 1, whatever training ended at."""


@dataclass(frozen=True, kw_only=True)
class FixedStress(InferenceStress):
    """A number: for those who want to see what it does."""

    value: float = number(0.3, 0.0, 1.0)

    def start(self) -> float:
        return self.value


@dataclass(frozen=True, kw_only=True)
class FrozenStress(InferenceStress):
    """The last stress of training, which the model's checkpoint holds: weights are used under the gains they were last trained
    under. Before the first step it is neutral."""

    keeps: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class SurpriseStress(InferenceStress):
    """Stress from the text itself: how badly the model foretold what it has been reading. For each sequence, with x the token
    read and p what was expected of it before::

        nll = -log p(x);  fast, slow = exponential averages of nll (factors ``fast``, ``slow``); sd = deviation around slow
        trend = clip(1/2 + (fast - slow) / (2 sd), 0, 1)
        level = clip(slow / log(number of tokens), 0, 1)         0: all foreseen; 1: no better than a uniform guess
        stress = ``trend_share`` * trend + (1 - trend_share) * level

    The averages are carried in the sequence's state and start at its first nll; where nothing was expected (a document's first
    token) stress is neutral. No gradient passes through it. The formula is that of
    :class:`~wetware.modulation.LossStress`, with a level that can be known in use. Tokens are read one by one, since each needs
    what was expected of it: exact, and slower than reading them together.
    """

    fast: float = number(0.9, 0.0, 1.0, open_ends=True)
    slow: float = number(0.99, 0.0, 1.0, open_ends=True)
    trend_share: float = number(0.5, 0.0, 1.0)

    def init_state(self, batch: int, vocab_size: int, device: torch.device) -> Surprise:
        zeros = torch.zeros(5, batch, device=device)
        return Surprise(torch.zeros(batch, vocab_size, device=device), *zeros)

    def hear(self, state: Surprise, token: Tensor, fresh: Tensor | None) -> tuple[Tensor, Surprise]:
        """The stress [B] at which ``token`` [B] is to be read; fresh: [B] of bool, where a document starts with it."""
        known, going_on = state.expecting > 0, state.going_on > 0
        if fresh is not None:
            known, going_on = known & ~fresh, going_on & ~fresh
        nll = -state.expected.gather(1, token[:, None])[:, 0]
        before = [
            torch.where(going_on, *pair) for pair in ((state.fast, nll), (state.slow, nll), (state.variance, 0.0 * nll))
        ]
        fast, slow, variance = averaged(*before, nll, self.fast, self.slow)
        trend = 0.5 + (fast - slow) / (2.0 * variance.clamp_min(1e-12).sqrt())
        trend = torch.where(variance > 0, trend, 0.5).clamp(0.0, 1.0)
        level = (slow / math.log(max(2, state.expected.shape[1]))).clamp(0.0, 1.0)
        stress = torch.where(known, self.trend_share * trend + (1.0 - self.trend_share) * level, NEUTRAL_STRESS)
        heard = [torch.where(known, value, 0.0) for value in (fast, slow, variance)]
        return stress, Surprise(state.expected, state.expecting, known.to(nll.dtype), *heard)


class Surprise(NamedTuple):
    """What a sequence remembers of its surprise. expected: [B, V], log-probabilities of the next token. expecting: [B], 1 where
    those mean something. going_on: [B], 1 where the averages do. fast, slow, variance: [B] each, in nats."""

    expected: Tensor
    expecting: Tensor
    going_on: Tensor
    fast: Tensor
    slow: Tensor
    variance: Tensor

    def expect(self, logits: Tensor) -> Surprise:
        """The same after a token whose reading gave ``logits`` [B, V]."""
        expected = functional.log_softmax(logits.detach().float(), -1)
        return self._replace(expected=expected, expecting=torch.ones_like(self.expecting))

    def forgotten(self) -> Surprise:
        """Nothing is expected, nothing was heard: after text that was read under a stress that somebody told."""
        return Surprise(*(torch.zeros_like(tensor) for tensor in self))
