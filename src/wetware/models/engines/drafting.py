"""Drafting: a pass that reads the last token also reads a guess of the next, and is worth two tokens when the guess is right.

Speculative decoding (Leviathan, Kalman and Matias, 2023; Chen et al., 2023) in which the model drafts for itself. A guess is
right when it is the token that the model's own logits choose with the same dice, so what is written is what the model writes
without drafts; where two logits tie within rounding, either may win, as between any two chunk sizes.

What a wrong guess left in the state must go. The engine keeps the state before the tokens that no right guess has closed yet
and reads those again with the next pass: never more passes than tokens, but passes of several tokens.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor

from wetware.models.dice import Dice
from wetware.models.engines.engine import Engine, rounded
from wetware.models.language_model import LanguageModel
from wetware.models.sampling import Sampling
from wetware.state import State

LONGEST = 3
"""How many tokens are read again, at most. Then a pass without a guess closes them."""


def refuses(model: LanguageModel, batch: int = 1) -> str | None:
    """Why this model cannot draft, or None."""
    if model.drafter() is None:
        name = type(model.config).__name__
        return f"this {name} foretells one token only; train it with the trait MultiTokenPrediction (SpikeWhale can have it)"
    return None if batch == 1 else f"a guess is right or wrong for one text, and there are {batch}"


class Read(NamedTuple):
    """After a token: logits [1, V], the hidden vector [1, D] that they are made of."""

    logits: Tensor
    hidden: Tensor


class Guess(NamedTuple):
    """A guessed token that was read along: what is known after it, and the state there."""

    token: int
    read: Read
    state: State


class DraftingEngine(Engine):
    """See the top of this file. One text, at neutral signals. Raises ValueError for a model that cannot draft.

    passes: how often the model was called. drafted: how many of these read a guess. accepted: how many guesses were right.
    """

    def __init__(self, model: LanguageModel, batch: int = 1, weights: str = "float32") -> None:
        self.model, self.batch = rounded(model, weights), batch
        drafter = self.model.drafter()
        if drafter is None or batch != 1:
            raise ValueError(f"no drafts: {refuses(model, batch)}")
        self.drafter, self.device = drafter, next(model.parameters()).device
        self._state: State = model.init_state(batch)  # before the open tokens
        self._open = torch.empty(1, 0, dtype=torch.long, device=self.device)
        self._read: Read | None = None  # after the open tokens but for the last, when that was written and not yet read
        self._unread = False
        self.passes = self.drafted = self.accepted = 0

    @property
    def state(self) -> State:
        if self._open.shape[1]:
            self._close()
        return self._state

    def logits(self) -> Tensor:
        if self._unread:
            self._close()
        assert self._read is not None, "nothing has been read yet"
        return self._read.logits

    @torch.inference_mode()
    def read(self, tokens: Tensor) -> None:
        self._open = torch.cat([self._open, tokens.to(self.device)], 1)
        self._close()

    @torch.inference_mode()
    def write(self, count: int, sampling: Sampling, dice: Dice, seen: Tensor, stop: int | None = None) -> Tensor:
        written: list[int] = []
        while len(written) < count and (stop is None or stop not in written[-1:]):
            guess = self._next(sampling, dice, seen) if self._unread else None
            assert self._read is not None, "nothing has been read yet"
            chosen = sampling.choose(self._read.logits, seen, dice)
            token = int(chosen)
            seen[0, token] = True
            written.append(token)
            if guess is not None and guess.token == token:
                self.accepted += 1
                self._state, self._read, self._open = guess.state, guess.read, self._open[:, :0]
            else:
                self._open, self._unread = torch.cat([self._open, chosen[:, None]], 1), True
        return torch.tensor([written], dtype=torch.long, device=seen.device)

    def _next(self, sampling: Sampling, dice: Dice, seen: Tensor) -> Guess | None:
        """Read the last token, and a guess along with it while few tokens are open."""
        if self._read is None or self._open.shape[1] > LONGEST:
            return self._close()
        token = self._open[:, -1]
        # the guess is chosen by the dice that the token it stands for will be chosen by: hence a copy of them
        guessed = sampling.choose(self.drafter.guess(self._read.hidden, token), seen, copy.copy(dice))
        output, hidden = self.drafter.read(torch.cat([self._open, guessed[:, None]], 1), self._state)
        self.passes, self.drafted, self._unread = self.passes + 1, self.drafted + 1, False
        self._read = Read(output.logits[:, -2], hidden[:, -2])
        return Guess(int(guessed), Read(output.logits[:, -1], hidden[:, -1]), output.state)

    @torch.inference_mode()
    def _close(self) -> None:
        """Read the open tokens for good."""
        output, hidden = self.drafter.read(self._open, self._state)
        self._state, self._open = output.state, self._open[:, :0]
        self.passes, self._unread = self.passes + 1, False
        self._read = Read(output.logits[:, -1], hidden[:, -1])
