"""Memory horizon: how far back the model remembers."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wetware.config import number
from wetware.data import Packed
from wetware.evaluation.measure import Measure, Progress, Subject, Table
from wetware.models import LanguageModel

FEWEST = 30  # targets, below which a standard error says little


@dataclass(frozen=True, kw_only=True)
class MemoryHorizon(Measure):
    """Loss against the length of the context, on the same target tokens::

        loss(c) = mean over targets of -ln p(target | the c tokens before it, state fresh before them),  c = 1, 2, 4, ... L
        horizon = the smallest c from which on  loss(c) - loss(L) <= 2 * standard error of that difference

    Differences are paired: each target against itself at full context L, so that how hard a token is does not hide how much
    context helps. The error is the standard error of the mean difference, not the deviation of losses between tokens, which
    is so large (several nats) that any context would lie within it. The horizon is therefore what *this many* targets can
    tell: more of them see smaller differences. Where half of L is still worse than L, the memory reaches to L at least, and
    ``at_least`` says so.

    longest: L, a power of two; halved until there are ``targets`` places (or as many as a quarter of all held-out tokens) with
    L tokens of their own document before them. targets: how many tokens, evenly spaced over all such places.
    """

    title: ClassVar[str] = "Memory horizon: loss against length of context"
    quick: ClassVar[bool] = True
    weight: ClassVar[float] = 6.0

    longest: int = number(512, 2, 2**20)
    targets: int = number(512, FEWEST)

    def quickly(self) -> MemoryHorizon:
        return replace(self, longest=128, targets=256)

    def refusal(self, subject: Subject) -> str | None:
        if self._places(subject.held_out)[0] >= 2:
            return None
        return f"held-out documents are too short: fewer than {FEWEST} tokens have two before them"

    def _places(self, packed: Packed) -> tuple[int, np.ndarray]:
        """The full context L, and all places with so many tokens of their own document (its boundary left out) before them."""
        longest = 1 << (self.longest.bit_length() - 1)
        while longest > 1:
            spans = zip(packed.starts + 1 + longest, packed.starts + packed.lengths, strict=True)
            places = np.concatenate([np.empty(0, np.int64), *(np.arange(low, high) for low, high in spans)])
            if len(places) >= max(FEWEST, min(self.targets, len(packed) // 4)):
                break
            longest //= 2
        else:
            return 0, np.empty(0, np.int64)
        chosen = np.linspace(0, len(places) - 1, min(self.targets, len(places))).round().astype(int)
        return longest, places[chosen]

    def take(self, subject: Subject, progress: Progress) -> dict[str, Any]:
        longest, places = self._places(subject.held_out)
        windows = torch.from_numpy(subject.held_out.take(places[:, None] + np.arange(-longest, 1)))
        contexts = [2**power for power in range(longest.bit_length())]
        losses, done, whole = [], 0, sum(contexts)
        for context in contexts:
            losses.append(_losses(subject.model, windows[:, longest - context :]))
            done += context
            progress(done / whole)
        nats = torch.stack(losses).numpy()
        difference = nats - nats[-1]
        mean, error = difference.mean(1), difference.std(1, ddof=1) / math.sqrt(len(places))
        worse = [index for index in range(len(contexts)) if mean[index] > 2 * error[index]]
        first = worse[-1] + 1 if worse else 0
        size = float(subject.tokenizer.token_bytes[windows[:, -1].numpy()].sum())
        return {
            "horizon": contexts[first],
            "at_least": first == len(contexts) - 1,
            "targets": len(places),
            "contexts": contexts,
            "nats": nats.mean(1).tolist(),
            "bits_per_byte": (nats.sum(1) / (math.log(2) * max(size, 1.0))).tolist(),
            "difference": mean.tolist(),
            "standard_error": error.tolist(),
        }

    def table(self, figures: dict[str, Any]) -> Table:
        lines = zip(
            *(figures[key] for key in ("contexts", "nats", "bits_per_byte", "difference", "standard_error")),
            strict=True,
        )
        rows = [
            (str(context), f"{nats:.4f}", f"{bits:.4f}", f"{difference:+.4f}", f"{2 * error:.4f}")
            for context, nats, bits, difference, error in lines
        ]
        reach = f"at least {figures['horizon']}" if figures["at_least"] else str(figures["horizon"])
        note = f"Memory horizon: {reach} tokens, by {figures['targets']} target tokens, the same at every context."
        columns = ("context", "nats per token", "bits per byte", "against full", "2 standard errors")
        return Table(columns, tuple(rows), note)

    def side_by_side(self, figures: dict[str, list[dict[str, Any]]]) -> Table:
        contexts = [context for runs in figures.values() for context in runs[0]["contexts"]]
        shown = sorted(set(contexts))
        rows = []
        for name, runs in figures.items():
            by_context = [dict(zip(run["contexts"], run["bits_per_byte"], strict=True)) for run in runs]
            means = [
                f"{statistics.fmean(run[context] for run in by_context):.4f}" if context in by_context[0] else ""
                for context in shown
            ]
            reach = statistics.median_high(run["horizon"] for run in runs)
            beyond = sum(run["at_least"] for run in runs)
            rows.append((name, str(reach), f"{beyond} of {len(runs)}", *means))
        note = (
            "Bits per byte by how many tokens of context a fresh state was given, on the same target tokens, mean over seeds. "
            "Horizon: median over seeds of the context from which on more of it could not be told from all of it; beside it, "
            "in how many seeds half of the longest context was still worse than all of it, so that it may be longer."
        )
        return Table(("arm", "horizon", "at least", *map(str, shown)), tuple(rows), note)


@torch.inference_mode()
def _losses(model: LanguageModel, windows: Tensor, rows: int = 64, chunk: int = 64) -> Tensor:
    """float64 [n]: the loss of the last token of each window [n, T] after all before it, from a fresh state."""
    device, losses = next(model.parameters()).device, []
    for part in windows.split(rows):
        state, output = None, None
        for piece in part[:, :-1].to(device).split(chunk, 1):  # in pieces, so that logits stay small
            output = model(piece, state)
            state = output.state
        assert output is not None
        losses.append(functional.cross_entropy(output.logits[:, -1], part[:, -1].to(device), reduction="none").cpu())
    return torch.cat(losses).double()
