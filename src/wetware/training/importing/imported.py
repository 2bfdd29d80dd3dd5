"""What an import gives."""

from __future__ import annotations

from typing import NamedTuple

from wetware.data import Tokenizer
from wetware.models.language_model import LanguageModel


class Imported(NamedTuple):
    """model, tokenizer: to be saved. sources: their names of our tensors. left: their tensors that found no place, with shapes.
    notes: what was assumed and what was left out, in sentences."""

    model: LanguageModel
    tokenizer: Tokenizer | None
    sources: dict[str, str]
    left: dict[str, tuple[int, ...]]
    notes: tuple[str, ...]
