"""Counted: which targets the cross-entropy is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wetware.config import Config, ConfigError, nearest
from wetware.data import Rule, Tokenizer
from wetware.data.conversations import ASSISTANT, END, SPECIALS


@dataclass(frozen=True, kw_only=True)
class Counted(Config):
    """A slot for what counts: the loss, held-out scores and bits per byte are of the counted targets only, all else is
    read and not scored. Bits per byte then means bits per byte of counted text, and compares with nothing but itself."""

    abstract: ClassVar[bool] = True

    def rule(self, tokenizer: Tokenizer) -> Rule | None:
        """The rule, for texts cut by ``tokenizer``; None when every target counts. Raises ConfigError when it has no such
        token."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class EveryToken(Counted):
    """Every target counts: the loss of a language model."""

    def rule(self, tokenizer: Tokenizer) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class AfterMark(Counted):
    """A target counts when the token before it is one of ``marks``: loss on the answers of a task only.

    Each character of ``marks`` is a mark. The mean is over the counted targets of the whole batch, in however many parts it is
    worked through; a batch without any has a cross-entropy of 0, a gradient of 0, and tells the stress nothing.
    """

    marks: str = "="

    def check(self) -> None:
        if not self.marks:
            raise ConfigError("AfterMark.marks = '': expected one character or more")

    def rule(self, tokenizer: Tokenizer) -> Rule:
        tokens = []
        for mark in self.marks:
            encoded = tokenizer.encode(mark)
            if len(encoded) != 1:
                raise ConfigError(f"AfterMark.marks: {mark!r} is {len(encoded)} tokens of the tokenizer, expected one")
            tokens += encoded

        def rule(text: np.ndarray) -> np.ndarray:
            return _after(np.isin(text, tokens)) & (text != tokenizer.boundary)

        return rule


@dataclass(frozen=True, kw_only=True)
class AssistantTurns(Counted):
    """What the assistant says counts, from after ``<|assistant|>`` to and with ``<|end|>``: the loss of a model that is to
    answer. What the user says is read and not learned."""

    def rule(self, tokenizer: Tokenizer) -> Rule:
        for name in SPECIALS:
            if name not in tokenizer.specials:
                raise ConfigError(
                    f"AssistantTurns: the tokenizer has no special token {name!r}{nearest(name, tokenizer.specials)}; "
                    "it has those of the text that it is made for: give it conversations (--data conversations)"
                )
        speaks = tokenizer.specials[ASSISTANT]
        marks = [tokenizer.boundary, *(tokenizer.specials[name] for name in SPECIALS)]

        def rule(text: np.ndarray) -> np.ndarray:
            # whose turn it is after each token: the last mark up to there
            last = np.maximum.accumulate(np.where(np.isin(text, marks), np.arange(len(text)), 0))
            return _after(text[last] == speaks) & np.isin(text, [*set(marks) - {tokenizer.specials[END]}], invert=True)

        return rule


def _after(here: np.ndarray) -> np.ndarray:
    """bool [N]: whether ``here`` was so one token before."""
    return np.concatenate([[False], here[:-1]])
