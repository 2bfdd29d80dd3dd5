"""Sentence: what the neurons and traits of a model do while it reads one text, token by token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wetware.data import DataError, Packed, Tokenizer
from wetware.models import LanguageModel
from wetware.traits import Trait


class Sentence(NamedTuple):
    """pieces: the text of each token, T of them. spikes, membranes: of each layer, [T, N]. traces: what each trait shows,
    [T] or [T, K], by the trait's name and the trace's own."""

    pieces: tuple[str, ...]
    spikes: tuple[Tensor, ...]
    membranes: tuple[Tensor, ...]
    traces: dict[str, Tensor]

    def to_dict(self) -> dict[str, Any]:
        return {
            "pieces": list(self.pieces),
            "firing": [spikes.mean(1).tolist() for spikes in self.spikes],
            "traces": {name: trace.tolist() for name, trace in self.traces.items()},
        }


def first_sentence(held_out: Packed, tokenizer: Tokenizer, tokens: int = 48) -> str:
    """The text of the first ``tokens`` tokens of the first held-out document that has as many (else of the first)."""
    long = [index for index, length in enumerate(held_out.lengths) if length > tokens]
    start = int(held_out.starts[long[0] if long else 0]) + 1
    return tokenizer.decode(held_out.tokens(start, min(start + tokens, len(held_out))).tolist())


@torch.inference_mode()
def read_sentence(model: LanguageModel, tokenizer: Tokenizer, text: str) -> Sentence:
    """``text`` as the start of a document. Raises DataError when it has no token."""
    tokens = tokenizer.encode(text)
    if not tokens:
        raise DataError("the text to look at is empty")
    device = next(model.parameters()).device
    inputs = torch.tensor([[tokenizer.boundary, *tokens]], device=device)
    traces: dict[str, Tensor] = {}

    def hook(name: str) -> Callable:
        def look(trait: Trait, given: tuple) -> None:
            traces.update({f"{name}: {key}": trace[0, 1:].cpu() for key, trace in trait.trace(*given).items()})

        return look

    found = [(path, module) for path, module in model.named_modules() if isinstance(module, Trait)]
    hooks = [trait.register_forward_pre_hook(hook(path.rpartition(".")[2])) for path, trait in found]
    try:
        activity = model(inputs).activity
    finally:
        for handle in hooks:
            handle.remove()
    return Sentence(
        tuple(tokenizer.piece(token).decode("utf-8", "replace") for token in tokens),
        tuple(layer.spikes[0, 1:].float().cpu() for layer in activity),
        tuple(layer.membrane[0, 1:].float().cpu() for layer in activity),
        traces,
    )
