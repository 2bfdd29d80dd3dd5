"""Counted: which targets the cross-entropy is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from wetware.config import Config, ConfigError
from wetware.data import Packed, Tokenizer

# (inputs [B, T], targets [B, T]) of whole chunks -> bool [B, T]. None in its place counts every target.
Rule = Callable[[Tensor, Tensor], Tensor]


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
        wanted = torch.tensor(sorted(tokens))
        return lambda inputs, targets: torch.isin(inputs, wanted.to(inputs.device))


def counts_any(packed: Packed, rule: Rule, piece: int = 2**20) -> bool:
    """Whether a rule counts any token of a text."""
    for start in range(0, len(packed) - 1, piece):
        tokens = torch.from_numpy(packed.tokens(start, min(start + piece + 1, len(packed))))[None]
        if rule(tokens[:, :-1], tokens[:, 1:]).any():
            return True
    return False
