"""Generation: from logits to tokens, one at a time, with a state of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from wetware.config import Config, number
from wetware.models.language_model import LanguageModel, Output
from wetware.state import State


@dataclass(frozen=True, kw_only=True)
class Sampling(Config):
    """How a token is chosen from the logits.

    temperature: 0 takes the most likely token. top_k: only the k most likely. top_p: only the smallest set that holds this
    share of the probability (Holtzman et al., 2020). repetition_penalty: logits of tokens already seen are divided by it if
    positive, multiplied if negative (the usual form of the penalty of Keskar et al., CTRL, 2019); 1 leaves them.
    """

    temperature: float = number(0.8, 0.0, 100.0)
    top_k: int | None = number(None, 1)
    top_p: float = number(1.0, 0.0, 1.0)
    repetition_penalty: float = number(1.0, 0.01, 100.0)

    def choose(self, logits: Tensor, seen: Tensor, generator: Generator | None) -> Tensor:
        """A token [B] from ``logits`` [B, V]; ``seen`` [B, V] says which tokens the text holds already."""
        if self.repetition_penalty != 1.0:
            penalised = torch.where(logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty)
            logits = torch.where(seen, penalised, logits)
        if self.temperature == 0:
            return logits.argmax(-1)
        # from the largest down: however small the temperature, the likeliest stays at 0 and the rest falls to -inf
        logits = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        if self.top_p < 1.0:
            values, order = logits.softmax(-1).sort(-1, descending=True)
            outside = values.cumsum(-1) - values > self.top_p
            logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
        return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


class Session:
    """A text being read and written: the state, and which tokens it holds. Constant in size for a spiking model.

    ``read`` takes a prompt in one pass, ``write`` yields new tokens. Reading goes on where writing stopped.
    """

    def __init__(self, model: LanguageModel, sampling: Sampling, seed: int | None = None, chunk: int = 512) -> None:
        self.model, self.sampling, self.chunk = model, sampling, chunk
        self.device = next(model.parameters()).device
        self.generator = Generator(self.device)
        if seed is not None:
            self.generator.manual_seed(seed)
        else:
            self.generator.seed()
        self.state: State = model.init_state(1)
        self.seen = torch.zeros(1, model.vocab_size, dtype=torch.bool, device=self.device)
        self.logits: Tensor | None = None

    @torch.inference_mode()
    def read(self, tokens: list[int]) -> None:
        """Take ``tokens`` in. Long prompts are read in chunks, so that memory does not grow with them."""
        for start in range(0, len(tokens), self.chunk):
            part = torch.tensor([tokens[start : start + self.chunk]], device=self.device)
            output: Output = self.model(part, self.state)
            self.state, self.logits = output.state, output.logits[:, -1]
            self.seen[0, part[0]] = True

    @torch.inference_mode()
    def next(self) -> int:
        """Choose one token and take it in. Raises ValueError when nothing has been read yet."""
        if self.logits is None:
            raise ValueError("nothing has been read yet: read a prompt first (the boundary token at least)")
        token = self.sampling.choose(self.logits, self.seen, self.generator)
        output = self.model.step(token, self.state)
        self.state, self.logits = output.state, output.logits
        self.seen[0, token] = True
        return int(token)

    def write(self, count: int, stop: int | None = None) -> Iterator[int]:
        """Up to ``count`` new tokens, ending before ``stop`` is yielded."""
        for _ in range(count):
            token = self.next()
            if token == stop:
                return
            yield token


def stream(
    model: LanguageModel,
    tokenizer: Any,
    prompt: str = "",
    *,
    tokens: int = 200,
    sampling: Sampling | None = None,
    seed: int | None = 0,
) -> Iterator[str]:
    """The continuation of ``prompt``, in pieces of whole characters as they come; ends at a document's end."""
    session = Session(model, sampling or Sampling(), seed)
    session.read([tokenizer.boundary, *tokenizer.encode(prompt)])
    decoder = tokenizer.decoder()
    for token in session.write(tokens, stop=tokenizer.boundary):
        if piece := decoder.push(token):
            yield piece
    if rest := decoder.flush():
        yield rest


def generate(
    model: LanguageModel,
    tokenizer: Any,
    prompt: str = "",
    *,
    tokens: int = 200,
    sampling: Sampling | None = None,
    seed: int | None = 0,
) -> str:
    """The continuation of ``prompt`` as one text. See :func:`stream`."""
    return "".join(stream(model, tokenizer, prompt, tokens=tokens, sampling=sampling, seed=seed))
