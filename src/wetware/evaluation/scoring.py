"""Scoring: how likely a model finds continuations of texts. The one scorer under CORE, minimal pairs and lm-eval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from wetware.data import Tokenizer
from wetware.models import LanguageModel
from wetware.state import State, select

LOGITS = 2**25
"""At most so many logits at once: 128 MB of float32, whatever the vocabulary."""


class Passage(NamedTuple):
    """A text that is scored from token ``start`` on, given all before it. ``tokens``: without the boundary."""

    tokens: tuple[int, ...]
    start: int = 0


class Likelihood(NamedTuple):
    """What a model thinks of the counted tokens of a passage.

    log_probability: their sum, in nats. greedy: whether each of them is the model's first choice. tokens, bytes: how many
    they are, and of how many bytes of text.
    """

    log_probability: float
    greedy: bool
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Mean over the counted tokens, in nats."""
        return -self.log_probability / max(self.tokens, 1)


def passages(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> list[Passage]:
    """A passage of each ``(context, continuation)``, encoded as the one text it is.

    Encoded apart, the two would meet at a border that no training text has: byte pair encoding merges across it. Counted is
    every token that holds a byte of the continuation, and the white space that ends the context belongs to the
    continuation, for most tokenizers write " word" as one token. A context may be empty.
    """
    whole = tokenizer.encode_batch([context + continuation for context, continuation in pairs])
    found = []
    for (context, _), tokens in zip(pairs, whole, strict=True):
        left, start = len(context.rstrip().encode()), 0
        while start < len(tokens) and (left := left - len(tokenizer.pieces[tokens[start]])) >= 0:
            start += 1
        found.append(Passage(tuple(tokens), start))
    return found


@torch.inference_mode()
def score(
    model: LanguageModel,
    tokenizer: Tokenizer,
    items: Sequence[Passage],
    *,
    rows: int = 32,
    chunk: int = 128,
    progress: Callable[[float], None] | None = None,
) -> list[Likelihood]:
    """The likelihood of every passage, in their order; each is read by a model that has read nothing but the boundary token.

    Passages are read ``rows`` side by side, ``chunk`` tokens at a time with the state carried, so that a context may be of
    any length. Those of one context share its reading: the state is forked where they part. Log-probabilities are float32,
    their sums float64. ``progress`` is told the share that is done. Raises ValueError when ``rows`` or ``chunk`` is below 1.
    """
    if rows < 1 or chunk < 1:
        raise ValueError(f"rows = {rows}, chunk = {chunk}: allowed 1 or more")
    rows = max(1, min(rows, LOGITS // (chunk * model.vocab_size)))
    sizes = tokenizer.token_bytes
    likelihoods: list[Likelihood] = [Likelihood(0.0, True, 0, 0)] * len(items)
    done, total = 0, sum(len(item.tokens) for item in items)
    for batch in _batches(items, rows):
        for index, (nats, greedy) in _read(model, tokenizer.boundary, items, batch, chunk).items():
            counted = items[index].tokens[items[index].start :]
            likelihoods[index] = Likelihood(nats, greedy, len(counted), int(sizes[list(counted)].sum()))
        done += sum(len(items[index].tokens) for group in batch for index in group)
        if progress:
            progress(done / max(total, 1))
    return likelihoods


def _batches(items: Sequence[Passage], rows: int) -> Iterator[list[list[int]]]:
    """Lists of groups of passages, ``rows`` passages in all; a group has one context. Those of like lengths go together."""
    contexts: dict[tuple[int, ...], list[int]] = {}
    for index, (tokens, start) in enumerate(items):
        contexts.setdefault(tokens[:start], []).append(index)
    groups = []
    for indices in contexts.values():
        indices.sort(key=lambda index: len(items[index].tokens))
        groups += [indices[at : at + rows] for at in range(0, len(indices), rows)]
    groups.sort(key=lambda group: (items[group[0]].start, len(items[group[-1]].tokens)))
    batch: list[list[int]] = []
    for group in groups:
        if batch and sum(map(len, batch)) + len(group) > rows:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def _read(
    model: LanguageModel, boundary: int, items: Sequence[Passage], batch: list[list[int]], chunk: int
) -> dict[int, tuple[float, bool]]:
    """``{index: (log-probability, greedy)}`` of a batch of groups."""
    order = [index for group in batch for index in group]
    texts = [torch.tensor([boundary, *items[index].tokens]) for index in order]
    starts = torch.tensor([items[index].start for index in order])
    # All rows of a batch have read equally many tokens, so contexts are shared up to the shortest of them.
    shared = int(starts.min())
    heads = [texts[order.index(group[0])][:shared] for group in batch]
    state = _carry(model, torch.stack(heads), chunk) if shared else None
    if state is not None:
        state = select(state, _place(model, [row for row, group in enumerate(batch) for _ in group]))
    lengths = torch.tensor([len(text) - 1 for text in texts])  # inputs; the last token is a target only
    nats, greedy = torch.zeros(len(order), dtype=torch.float64), torch.ones(len(order), dtype=torch.bool)
    padded = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=boundary)
    present = torch.arange(len(order))
    for begin in range(shared, int(lengths.max()), chunk):
        # A passage that has ended leaves the batch: what follows its end would be work for nothing.
        alive = lengths[present] > begin
        if not bool(alive.all()):
            state = None if state is None else select(state, _place(model, alive.nonzero()[:, 0].tolist()))
            present = present[alive]
        end = min(begin + chunk, int(lengths[present].max()))
        output = model(_place(model, padded[present, begin:end]), state)
        state = output.state
        places = torch.arange(begin, end)
        counted = (places >= starts[present, None]) & (places < lengths[present, None])
        losses, first = _compare(output.logits, padded[present, begin + 1 : end + 1])
        nats[present] -= losses.double().masked_fill(~counted, 0.0).sum(1)
        greedy[present] &= (first | ~counted).all(1)
    return {index: (float(nats[row]), bool(greedy[row])) for row, index in enumerate(order)}


def _carry(model: LanguageModel, tokens: Tensor, chunk: int) -> State:
    """The state after ``tokens`` [B, T]."""
    state = None
    for part in tokens.split(chunk, 1):
        state = model(_place(model, part), state).state
    return state


def _compare(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Loss in nats, and whether the likeliest token is the target: [B, T] each, on the CPU."""
    wanted = targets.to(logits.device)
    losses = functional.cross_entropy(logits.float().flatten(0, 1), wanted.flatten(), reduction="none")
    return losses.view(targets.shape).cpu(), (logits.argmax(-1) == wanted).cpu()


def _place(model: LanguageModel, values: Tensor | list[int]) -> Tensor:
    return torch.as_tensor(values, dtype=torch.long, device=next(model.parameters()).device)
