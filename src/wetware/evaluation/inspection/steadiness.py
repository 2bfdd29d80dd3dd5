"""Steadiness: whether reading is what it says: the same in whatever pieces, the same again, and without a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from wetware.config import number
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.models import LanguageModel

CLOSE = 1e-3  # logits nearer than this differ by rounding


def token_by_token(model: LanguageModel, tokens: Tensor) -> Tensor:
    """The logits [B, T, V] of tokens [B, T], read one at a time with the state carried."""
    state, logits = None, []
    for at in range(tokens.shape[1]):
        output = model(tokens[:, at : at + 1], state)
        state = output.state
        logits.append(output.logits)
    return torch.cat(logits, 1)


def weights_of(model: LanguageModel) -> dict[str, Tensor]:
    """A copy of every parameter and buffer, by name."""
    return {name: tensor.detach().clone() for name, tensor in (*model.named_parameters(), *model.named_buffers())}


@dataclass(frozen=True, kw_only=True)
class Steadiness(Measure):
    """Three claims about a model that changes while it reads, tried on the first ``tokens`` held-out tokens: a text as a whole
    gives the logits it gives token by token; read twice, it gives the same bits; and no weight or buffer changes by being read.
    What does change is the state, which belongs to a sequence and is handed back."""

    title: ClassVar[str] = "Steadiness: the same model, however it is read"
    weight: ClassVar[float] = 5.0

    tokens: int = number(256, 2, 1_000_000)

    @torch.inference_mode()
    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        model, count = subject.model, min(self.tokens, len(subject.held_out))
        found = subject.held_out.tokens(0, count).tolist()
        tokens = torch.tensor([found], device=next(model.parameters()).device)
        before = weights_of(model)
        once = model(tokens).logits
        again = model(tokens).logits
        progress(0.3)
        difference = (once - token_by_token(model, tokens)).abs().max().item()
        after = weights_of(model)
        changed = [
            name for name, tensor in after.items() if name not in before or not torch.equal(before[name], tensor)
        ]
        return {
            "tokens": count,
            "token_by_token": difference,
            "largest_logit": once.abs().max().item(),
            "read_twice_equal": torch.equal(once, again),
            "tensors": len(before),
            "bytes": sum(tensor.nbytes for tensor in before.values()),
            "changed": changed,
        }

    def table(self, figures: dict[str, Any]) -> Table:
        difference, largest = figures["token_by_token"], figures["largest_logit"]
        same = difference is not None and difference < CLOSE * max(1.0, largest)
        rows = (
            ("as a whole and token by token", f"largest difference of a logit {difference:.2g}", _holds(same)),
            ("read twice", "equal to the last bit", _holds(figures["read_twice_equal"])),
            (
                "no parameter or buffer changes",
                f"{len(figures['changed'])} of {figures['tensors']} did, {figures['bytes']:,} bytes compared",
                _holds(not figures["changed"]),
            ),
        )
        note = f"On {figures['tokens']} held-out tokens; the largest logit was {largest:.1f}."
        return Table(("claim", "found", "holds"), rows, note)


def _holds(true: bool) -> str:
    return "yes" if true else "NO"
