"""Generation: texts being read and written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from wetware.config import ConfigError
from wetware.models.dice import Dice
from wetware.models.engines import DraftingEngine, Engine, drafting, engines
from wetware.models.language_model import LanguageModel
from wetware.models.sampling import Sampling
from wetware.state import State


class Session:
    """Texts being read and written side by side: their state, of constant size for a spiking model, and what tokens they hold.

    ``read`` takes a prompt in, ``write`` yields new tokens. Reading goes on where writing stopped. The work is done by the
    fastest engine that the model can have (``wetware.models.engines``).

    Args:
        seed: of the dice; None takes one from the system. The same seed writes the same text.
        batch: how many texts.
        weights: how matrices are kept: ``float32``, or ``bfloat16`` or ``int8``, which are faster and change the model.
        chunk: longest piece of a prompt that is read at once, so that memory does not grow with it.
        draft: let the model guess the token after the next, which saves passes and changes no token. Raises ConfigError when
            it has not learned to, or for more than one text.
    """

    def __init__(
        self,
        model: LanguageModel,
        sampling: Sampling,
        seed: int | None = None,
        *,
        batch: int = 1,
        weights: str = "float32",
        chunk: int = 512,
        draft: bool = False,
    ) -> None:
        self.sampling, self.chunk = sampling, chunk
        self.dice = Dice(seed)
        if draft and (reason := drafting.refuses(model, batch)):
            raise ConfigError(f"no drafts: {reason}")
        self.engine: Engine = (DraftingEngine if draft else engines)(model, batch, weights)
        self.seen = torch.zeros(batch, model.vocab_size, dtype=torch.bool, device=next(model.parameters()).device)
        self.started = False

    @property
    def state(self) -> State:
        return self.engine.state

    @property
    def logits(self) -> Tensor:
        """[B, V], after the last token."""
        return self.engine.logits()

    def read(self, tokens: list[int] | Tensor) -> None:
        """Take tokens in: a list that all texts go on with, or [B, T]."""
        given = tokens if isinstance(tokens, Tensor) else torch.tensor([tokens], dtype=torch.long)
        given = given.expand(len(self.seen), -1)
        for part in given.split(self.chunk, 1):
            if part.shape[1]:
                self.engine.read(part)
                self.seen.scatter_(1, part.to(self.seen.device), True)
                self.started = True

    def next(self) -> int:
        """Choose one token (of a single text) and take it in. Raises ValueError when nothing has been read yet."""
        return int(self.tokens(1)[0, 0])

    def tokens(self, count: int, stop: int | None = None) -> Tensor:
        """``count`` new tokens of every text, [B, count]; of a single text fewer, when the last is ``stop``."""
        if not self.started:
            raise ValueError("nothing has been read yet: read a prompt first (the boundary token at least)")
        return self.engine.write(count, self.sampling, self.dice, self.seen, stop)

    def write(self, count: int, stop: int | None = None, block: int = 1) -> Iterator[int]:
        """Up to ``count`` new tokens of a single text, ending before ``stop`` is yielded. They are chosen ``block`` at a time:
        more than one is faster, and for a caller who will take all of them."""
        while count > 0:
            for token in self.tokens(min(block, count), stop)[0].tolist():
                if token == stop:
                    return
                yield token
            count -= block


def stream(
    model: LanguageModel,
    tokenizer: Any,
    prompt: str | list[int] = "",
    *,
    tokens: int = 200,
    sampling: Sampling | None = None,
    seed: int | None = 0,
    weights: str = "float32",
) -> Iterator[str]:
    """The continuation of ``prompt``, text or the tokens of one, in pieces of whole characters as they come; ends at a
    document's end."""
    return write_on(Session(model, sampling or Sampling(), seed, weights=weights), tokenizer, prompt, tokens)


def write_on(session: Session, tokenizer: Any, prompt: str | list[int], tokens: int) -> Iterator[str]:
    """:func:`stream` in a session that has read nothing yet."""
    session.read([tokenizer.boundary, *(tokenizer.encode(prompt) if isinstance(prompt, str) else prompt)])
    decoder = tokenizer.decoder()
    for token in session.write(tokens, stop=tokenizer.boundary, block=8):
        if piece := decoder.push(token):
            yield piece
    if rest := decoder.flush():
        yield rest


def generate(
    model: LanguageModel,
    tokenizer: Any,
    prompt: str | list[int] = "",
    *,
    tokens: int = 200,
    sampling: Sampling | None = None,
    seed: int | None = 0,
    weights: str = "float32",
) -> str:
    """The continuation of ``prompt`` as one text. See :func:`stream`."""
    return "".join(stream(model, tokenizer, prompt, tokens=tokens, sampling=sampling, seed=seed, weights=weights))
