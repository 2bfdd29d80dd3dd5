"""Fatigue: whether synapses tire when one token is said over and over, and recover when it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from wetware.config import number
from wetware.data import DataError, Packed, Tokenizer
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.models import LanguageModel
from wetware.synapses.vesicle_release import Vesicles


class Text(NamedTuple):
    """tokens: a boundary, then a line, one token ``repeats`` times from ``start`` on, and other text."""

    tokens: tuple[int, ...]
    start: int
    repeats: int


class Tired(NamedTuple):
    """Of the synapses of one layer on one key, [H, T], NaN before the key is there and where a window hides it.

    ready: pool that each query leaves. calcium: what it leaves in the terminal. release: what counts in the score,
    ``(r E + floor) / (r_rested + floor)``: 1 at rest, less when tired, more where calcium is left over.
    """

    ready: Tensor
    release: Tensor
    calcium: Tensor


def tiring_text(held_out: Packed, tokenizer: Tokenizer, *, before: int, repeats: int, after: int) -> Text:
    """The start of the first held-out document that is long enough, interrupted by one of its tokens, said ``repeats``
    times: the one of most letters, among those that begin a word if there are any. Raises DataError when no document is."""
    long = [index for index, length in enumerate(held_out.lengths) if length > before + after]
    if not long:
        raise DataError(f"no held-out document has more than {before + after} tokens")
    start = int(held_out.starts[long[0]]) + 1
    found = held_out.tokens(start, start + before + after).tolist()
    pieces = {token: _piece(tokenizer, token) for token in found[:before]}
    word = max(pieces, key=lambda token: (pieces[token].startswith(" "), sum(map(str.isalpha, pieces[token]))))
    tokens = (tokenizer.boundary, *found[:before], *[word] * repeats, *found[before:])
    return Text(tokens, 1 + before, repeats)


@torch.inference_mode()
def tired(model: LanguageModel, text: Text) -> dict[str, Tired]:
    """What happens at the first repeated token, by the path of each layer's vesicles; nothing where there are none."""
    given: dict[str, tuple] = {}

    def hook(path: str) -> Any:
        return lambda module, inputs: given.update({path: inputs})

    found = {path: module for path, module in model.named_modules() if isinstance(module, Vesicles)}
    hooks = [module.register_forward_pre_hook(hook(path)) for path, module in found.items()]
    try:
        model(torch.tensor([text.tokens], device=next(model.parameters()).device))
    finally:
        for handle in hooks:
            handle.remove()
    return {path: _tired(module, given[path][0], given[path][2], key=text.start) for path, module in found.items()}


def _tired(vesicles: Vesicles, scores: Tensor, first: Tensor, *, key: int) -> Tired:
    seen = vesicles.watch(scores, first)
    return Tired(*(seen[name][0, :, :, key].cpu() for name in Tired._fields))


@dataclass(frozen=True, kw_only=True)
class SynapticFatigue(Measure):
    """Release, ready pool and calcium of each head at one key, over a text that says its token again and again: of the model,
    and of the same config before training, from the run's own seed where that is known. A pool that is drawn from falls and
    fills again, that is built in; how far, and whether release falls with it or calcium outweighs that, is what heads learn by
    how they ask.

    before, repeats, after: tokens of the text, of the repeated one, and of the text again.
    """

    title: ClassVar[str] = "Fatigue: one token, again and again"
    weight: ClassVar[float] = 5.0

    before: int = number(16, 1, 100_000)
    repeats: int = number(32, 1, 100_000)
    after: int = number(48, 1, 100_000)

    def refusal(self, subject: Subject) -> str | None:
        if not any(isinstance(module, Vesicles) for module in subject.model.modules()):
            return f"{type(subject.model.config).__name__} is without vesicles here: synapse.release is absent or a control"
        return None

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        text = tiring_text(
            subject.held_out, subject.tokenizer, before=self.before, repeats=self.repeats, after=self.after
        )
        seed = 0 if subject.run is None else subject.run.seed
        fresh = subject.model.config.build(seed).to(next(subject.model.parameters()).device)
        figures: dict[str, Any] = {"start": text.start, "repeats": text.repeats}
        figures["pieces"] = ["⊢", *(_piece(subject.tokenizer, token) for token in text.tokens[1:])]
        for share, name, model in ((0.5, "trained", subject.model), (1.0, "untrained", fresh)):
            layers = tired(model, text)
            figures[name] = [{key: rows.tolist() for key, rows in each._asdict().items()} for each in layers.values()]
            progress(share)
        figures["layers"] = list(layers)
        return figures

    def table(self, figures: dict[str, Any]) -> Table:
        stop = figures["start"] + figures["repeats"] - 1
        moments = (("first", figures["start"]), ("last", stop), ("end", len(figures["pieces"]) - 1))
        rows = []
        for index, path in enumerate(figures["layers"]):
            for name in ("trained", "untrained"):
                layer = figures[name][index]
                means = [_mean(layer[key], at) for key in ("release", "ready") for _, at in moments]
                rows.append((f"{path.removesuffix('.synapse.release')}, {name}", *means))
        columns = ("layer", *(f"{what}, {when}" for what in ("release", "ready") for when, _ in moments))
        note = "Means over heads, at the first of the repeated tokens. At rest release and ready pool are 1."
        return Table(columns, tuple(rows), note)


def _mean(rows: list[list[float | None]], at: int) -> str:
    values = [value for row in rows if (value := row[at]) is not None]
    return f"{sum(values) / len(values):.2f}" if values else "-"


def _piece(tokenizer: Tokenizer, token: int) -> str:
    return tokenizer.piece(token).decode("utf-8", "replace")
